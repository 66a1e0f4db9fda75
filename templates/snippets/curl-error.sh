curl -sS -m 5 --retry 2 -w ' miniapm: HTTP %{http_code}\n' \
  -X POST https://miniapm.example/ingest/errors \
  -H "Authorization: Bearer proj_YOUR_KEY" \
  -H "Content-Type: application/json" \
  -d '{"exception_class": "NotFound", "message": "No user 42", "version": "v1.2.3",
       "backtrace": ["app/users.rb:7:in find", "app/web.rb:12:in show"],
       "params": {"id": 42, "password": "is masked before it is stored"}}' || true
