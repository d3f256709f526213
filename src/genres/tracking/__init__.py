"""MLflow: the view of the runs for people; the truth is in metrics/ and plots/.

The only package that imports it, but for src/genres/inference/serving.py, which MLflow loads.

Runs of every kind of execution (`dvc repro`, `dvc exp run`, temporary and queued experiments) reach the project's own
database, mlflow.db beside dvc.yaml, unless MLFLOW_TRACKING_URI names another place. Each data set is an experiment.
"""

import logging
import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# No links between the epochs.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# A server that is away is asked for half a minute, not for four; each answer may take half a minute, not two.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

# Only problems: not each of the 50 steps in which a database is made.
for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.WARNING)
