curl -fsS -m 10 --retry 3 -X POST https://miniapm.example/ingest/deploys \
  -H "Authorization: Bearer proj_YOUR_KEY" \
  -H "Content-Type: application/json" \
  -d '{"git_sha": "abc123def456789", "version": "v1.2.3", "deployer": "me"}' || true
