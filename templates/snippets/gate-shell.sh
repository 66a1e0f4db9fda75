export MINIAPM_URL=https://miniapm.example MINIAPM_API_KEY=proj_YOUR_KEY
code=0
miniapm check --sha "$(git rev-parse HEAD)" --env production || code=$?
if [ "$code" -eq 1 ]; then
  ./rollback  # whatever brings the version before it back
  exit 1
fi
[ "$code" -eq 0 ] || echo "miniapm: NOT CHECKED (exit $code)" >&2
