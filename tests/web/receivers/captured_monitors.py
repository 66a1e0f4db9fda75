"""Calls of the clients of monitoring services."""

import json

from tests.web.receivers.client_call import ANSIBLE, SHA, SHOP, ClientCall

MONITORS = [
    ClientCall(
        "newrelic ansible",
        "/v2/applications/987/deployments.json",
        201,
        json.dumps({"deployment": {"revision": "b6826b8", "user": "me"}}),
        {"git_sha": "b6826b8", "deployer": "me", "service": "default"},
        lambda error: error["error"]["title"],
        {"Api-Key": "KEY", **ANSIBLE},
    ),
    ClientCall(
        "newrelic-admin",
        "/v2/applications/shop/deployments.json",
        201,
        json.dumps(
            {
                "deployment": {
                    "revision": "b6826b8",
                    "description": "Deploy 1.2.3",
                    "changelog": "changes",
                    "user": "me",
                }
            }
        ),
        {"git_sha": "b6826b8", "service": "shop", "description": "Deploy 1.2.3\n\nchanges"},
        lambda error: error["error"]["title"],
        {"X-Api-Key": "KEY", "Content-Encoding": "Identity"},
    ),
    ClientCall(
        "appsignal gem",
        "/1/markers?api_key=KEY&name=shop&environment=staging&hostname=vm&gem_version=4.5.17",
        200,
        json.dumps({"revision": "b6826b8", "repository": "master", "user": "me"}),
        {
            "git_sha": "b6826b8",
            "service": "shop",
            "env": "staging",
            "deployer": "me",
            "repository": None,
        },
        lambda error: error["error"],
        content_type="application/json; charset=UTF-8",
    ),
    ClientCall(
        "appsignal api",
        "/api/5a1/markers.json?token=KEY",
        201,
        json.dumps(
            {
                "marker": {
                    "kind": "deploy",
                    "created_at": "2026-11-21T21:06:31.737+00:00",
                    "repository": "git@github.com:acme/shop.git",
                    "revision": "fe001015311af4769a4dad76bdbce4c8f5d022af",
                    "user": "me",
                }
            }
        ),
        {
            "git_sha": "fe001015311af4769a4dad76bdbce4c8f5d022af",
            "deployed_at": 1_795_295_191_737_000,
            "repository": "git@github.com:acme/shop.git",
        },
        lambda error: error["error"],
    ),
    ClientCall(
        "honeycomb hny",
        "/1/markers/__all__",
        201,
        json.dumps(
            {
                "start_time": 1700000000,
                "end_time": 1700000100,
                "message": "deploy 1.2.3",
                "type": "deploy",
                "url": "https://x",
            }
        ),
        {
            "git_sha": "1.2.3",
            "version": "1.2.3",
            "service": "default",
            "title": "deploy 1.2.3",
            "url": "https://x",
            "started_at": 1_700_000_000_000_000,
            "deployed_at": 1_700_000_100_000_000,
        },
        lambda error: error["error"],
        {"X-Honeycomb-Team": "KEY"},
    ),
    ClientCall(
        "datadog dora",
        "/api/v2/dora/deployment",
        200,
        json.dumps(
            {
                "data": {
                    "attributes": {
                        "service": "shop",
                        "started_at": 1_699_960_648_000_000_000,
                        "finished_at": 1_699_961_048_000_000_000,
                        "env": "staging",
                        "version": "1.0.0",
                        "git": {"repository_url": SHOP, "commit_sha": SHA},
                        "team": "t1",
                        "custom_tags": ["k:v"],
                    }
                }
            }
        ),
        {
            "git_sha": SHA,
            "version": "1.0.0",
            "service": "shop",
            "env": "staging",
            "repository": SHOP,
            "started_at": 1_699_960_648_000_000,
            "deployed_at": 1_699_961_048_000_000,
        },
        lambda error: error["errors"][0]["detail"],
        {"DD-API-KEY": "KEY"},
    ),
    ClientCall(
        "datadog event",
        "/api/v1/events",
        202,
        json.dumps(
            {
                "title": "Deployed shop",
                "text": "b6826b8 is live",
                "date_happened": None,
                "handle": None,
                "priority": "normal",
                "related_event_id": None,
                "tags": ["service:shop"],
                "host": "vm",
                "device": None,
                "aggregation_key": None,
                "source_type_name": None,
                "alert_type": None,
            }
        ),
        {"git_sha": "b6826b8", "service": "shop", "title": "Deployed shop"},
        lambda error: error["errors"][0],
        {"Dd-Api-Key": "KEY", "Dd-Application-Key": "a"},
    ),
    ClientCall(
        "grafana",
        "/api/annotations",
        200,
        json.dumps(
            {
                "panelId": None,
                "time": 1700000000000,
                "timeEnd": 1700000060000,
                "tags": ["deploy", "service:shop"],
                "text": "Deployed b6826b8",
            }
        ),
        {
            "git_sha": "b6826b8",
            "service": "shop",
            "title": "Deployed b6826b8",
            "started_at": 1_700_000_000_000_000,
            "deployed_at": 1_700_000_060_000_000,
        },
        lambda error: error["message"],
        {"Authorization": "Bearer KEY", "User-Agent": "grafana-client/5.1.4"},
        "application/json;charset=utf-8",
    ),
    ClientCall(
        "grafana graphite",
        "/api/annotations/graphite",
        200,
        json.dumps({"what": "Event", "tags": ["x"], "when": 1700000000, "data": "b6826b8"}),
        {"git_sha": "b6826b8", "deployed_at": 1_700_000_000_000_000},
        lambda error: error["message"],
        {"Authorization": "Bearer KEY", "User-Agent": "grafana-client/5.1.4"},
        "application/json;charset=utf-8",
    ),
]
# what stores no deploy
MONITORS_BESIDE = [
    ClientCall(
        "datadog gate",
        "/api/v2/deployments/gates/evaluation",
        202,
        json.dumps(
            {
                "data": {
                    "type": "deployment_gates_evaluation_request",
                    "attributes": {"service": "shop", "env": "prod", "version": "1.2.3"},
                }
            }
        ),
        {},
        lambda error: error["errors"][0]["detail"],
        {"DD-API-KEY": "KEY", "DD-APPLICATION-KEY": "a"},
    ),
]
