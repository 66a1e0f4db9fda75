# In your release phase or post-deploy hook
curl -X POST $MINIAPM_URL/ingest/deploys \
  -H "Authorization: Bearer $MINIAPM_API_KEY" \
  -H "Content-Type: application/json" \
  -d "{
    \"git_sha\": \"$HEROKU_SLUG_COMMIT\",
    \"version\": \"$HEROKU_RELEASE_VERSION\",
    \"deployer\": \"heroku\"
  }"
