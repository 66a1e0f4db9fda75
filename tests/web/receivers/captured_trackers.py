"""Calls of the clients of error trackers."""

import json

from tests.web.receivers.client_call import ANSIBLE, FORM, SHOP, ClientCall

TRACKERS = [
    ClientCall(
        "honeybadger ansible",
        "/v1/deploys",
        201,
        "deploy%5Benvironment%5D=production&deploy%5Blocal_username%5D=ansible"
        "&deploy%5Brepository%5D=git%40github.com%3Aacme%2Fshop.git"
        "&deploy%5Brevision%5D=b6826b8&api_key=KEY",
        {
            "git_sha": "b6826b8",
            "deployer": "ansible",
            "repository": "git@github.com:acme/shop.git",
        },
        lambda error: error["errors"],
        ANSIBLE,
        FORM,
        answer={"status": "OK"},
    ),
    ClientCall(
        "honeybadger rollup",
        "/v1/deploys",
        201,
        json.dumps(
            {
                "deploy": {
                    "revision": "b6826b8",
                    "repository": SHOP,
                    "local_username": "Jane",
                    "environment": "staging",
                }
            }
        ),
        {"git_sha": "b6826b8", "deployer": "Jane", "repository": SHOP, "env": "staging"},
        lambda error: error["errors"],
        {"X-API-KEY": "KEY", "User-Agent": "node-fetch/1.0"},
    ),
    ClientCall(
        "rollbar ansible",
        "/api/1/deploy/",
        200,
        "access_token=KEY&environment=production&revision=b6826b8&local_username=ansible"
        "&rollbar_username=admin&comment=New+deploy",
        {"git_sha": "b6826b8", "deployer": "ansible", "description": "New deploy"},
        lambda error: error["message"],
        ANSIBLE,
        FORM,
    ),
    ClientCall(
        "rollbar-cli",
        "/api/1/deploy",
        200,
        json.dumps(
            {
                "revision": "b6826b8",
                "environment": "production",
                "status": "started",
                "local_username": "me",
                "comment": "hi",
            }
        ),
        {"git_sha": "b6826b8", "deployer": "me", "description": "hi", "status": "started"},
        lambda error: error["message"],
        {"X-Rollbar-Access-Token": "KEY", "User-Agent": "axios/0.24.0"},
    ),
    ClientCall(
        "airbrake npm",
        "/api/v4/projects/123/deploys?key=KEY",
        201,
        json.dumps(
            {
                "version": "v2.0",
                "environment": "production",
                "username": "me",
                "revision": "b6826b8",
                "repository": SHOP,
            }
        ),
        {"git_sha": "b6826b8", "version": "v2.0", "deployer": "me", "repository": SHOP},
        lambda error: error["message"],
    ),
    ClientCall(
        "bugsnag-build-reporter",
        "/",
        200,
        json.dumps(
            {
                "apiKey": "KEY",
                "appVersion": "1.3.5",
                "builderName": "ci",
                "releaseStage": "production",
                "buildTool": "bugsnag-build-reporter",
                "sourceControl": {
                    "provider": "github",
                    "repository": SHOP,
                    "revision": "b6826b8",
                },
                "autoAssignRelease": True,
            }
        ),
        {"git_sha": "b6826b8", "version": "1.3.5", "deployer": "ci", "repository": SHOP},
        lambda error: error["errors"][0],
        answer={"status": "ok"},
    ),
    ClientCall(
        "sentry deploy",
        "/api/0/organizations/acme/releases/1.2.3/deploys/",
        201,
        json.dumps(
            {
                "environment": "staging",
                "name": "nightly",
                "url": "https://x",
                "dateStarted": None,
                "dateFinished": "2026-11-21T21:25:49.854985579Z",
            }
        ),
        {
            "git_sha": "1.2.3",
            "version": "1.2.3",
            "env": "staging",
            "title": "nightly",
            "url": "https://x",
            "deployed_at": 1_795_296_349_854_985,
        },
        lambda error: error["detail"],
        {"Authorization": "Bearer KEY", "User-Agent": "sentry-cli/3.8.0"},
    ),
    ClientCall(
        "logrocket",
        "/v1/orgs/acme/apps/shop/releases/",
        201,
        json.dumps({"version": "1.2.3"}),
        {"git_sha": "1.2.3", "version": "1.2.3", "service": "shop"},
        lambda error: error["error"],
        {"Authorization": "Token acme:shop:KEY"},
    ),
]
# what stores no deploy
TRACKERS_BESIDE = [
    ClientCall(
        "sentry release",
        "/api/0/organizations/acme/releases/",
        201,
        json.dumps(
            {
                "version": "1.2.3",
                "projects": ["shop"],
                "url": "https://x",
                "dateStarted": "2026-11-21T21:27:15.298965195Z",
                "dateReleased": "2026-11-21T21:27:15.298966727Z",
            }
        ),
        {},
        lambda error: error["detail"],
        {"Authorization": "Bearer KEY", "User-Agent": "sentry-cli/3.8.0"},
    ),
]
