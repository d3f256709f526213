"""MLflow tracking, for browsing runs; the results of record are in metrics/ and plots/.

No other package imports MLflow, except src/genres/inference/serving.py, which MLflow loads.

All runs (`dvc repro`, `dvc exp run`, temporary and queued experiments) are logged to mlflow.db beside dvc.yaml, unless
MLFLOW_TRACKING_URI names another store. Each data set is an experiment.
"""

import os

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# Print no links between the epochs.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# Retry an unreachable server for half a minute, not for four; wait half a minute for an answer, not two.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
