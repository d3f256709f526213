"""The workers of a Dask cluster: docs/cluster.md."""
