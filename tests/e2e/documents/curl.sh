curl -X POST http://localhost:3000/ingest/deploys \
  -H "Authorization: Bearer proj_abc123..." \
  -H "Content-Type: application/json" \
  -d '{
    "git_sha": "abc123def456789",
    "version": "v1.2.3",
    "deployer": "github-actions",
    "env": "production"
  }'
