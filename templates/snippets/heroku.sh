curl -sS -m 5 --retry 2 -w ' miniapm: HTTP %{http_code}\n' \
  -X POST "${MINIAPM_URL:-}/ingest/deploys" \
  -H "Authorization: Bearer ${MINIAPM_API_KEY:-}" \
  -H "Content-Type: application/json" \
  -d "{\"git_sha\": \"${HEROKU_BUILD_COMMIT:-${HEROKU_SLUG_COMMIT:-}}\",
       \"version\": \"${HEROKU_RELEASE_VERSION:-}\", \"deployer\": \"heroku\"}" || true
