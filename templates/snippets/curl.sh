curl -sS -m 5 --retry 2 -w ' miniapm: HTTP %{http_code}\n' \
  -X POST https://miniapm.example/ingest/deploys \
  -H "Authorization: Bearer proj_YOUR_KEY" \
  -H "Content-Type: application/json" \
  -d '{"git_sha": "abc123def456789", "version": "v1.2.3", "deployer": "me"}' || true
