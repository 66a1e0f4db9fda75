"""HTTP in and out. Starlette and Jinja live on this floor and nowhere else."""
