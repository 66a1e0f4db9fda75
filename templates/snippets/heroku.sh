curl -fsS -m 10 --retry 3 -X POST "$MINIAPM_URL/ingest/deploys" \
  -H "Authorization: Bearer $MINIAPM_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{\"git_sha\": \"${HEROKU_BUILD_COMMIT:-$HEROKU_SLUG_COMMIT}\",
       \"version\": \"$HEROKU_RELEASE_VERSION\", \"deployer\": \"heroku\"}" || true
