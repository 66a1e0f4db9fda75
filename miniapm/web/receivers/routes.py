"""Every address of a foreign sender."""

from miniapm.web.receivers.airbrake import AIRBRAKE_ROUTES
from miniapm.web.receivers.appsignal import APPSIGNAL_ROUTES
from miniapm.web.receivers.bigpanda import BIGPANDA_ROUTES
from miniapm.web.receivers.bugsnag import BUGSNAG_ROUTES
from miniapm.web.receivers.calls import ForeignRoute
from miniapm.web.receivers.datadog import DATADOG_ROUTES
from miniapm.web.receivers.devlake import DEVLAKE_ROUTES
from miniapm.web.receivers.grafana import GRAFANA_ROUTES
from miniapm.web.receivers.honeybadger import HONEYBADGER_ROUTES
from miniapm.web.receivers.honeycomb import HONEYCOMB_ROUTES
from miniapm.web.receivers.hooks import HOOK_ROUTES
from miniapm.web.receivers.logrocket import LOGROCKET_ROUTES
from miniapm.web.receivers.newrelic import NEWRELIC_ROUTES
from miniapm.web.receivers.pagerduty import PAGERDUTY_ROUTES
from miniapm.web.receivers.rollbar import ROLLBAR_ROUTES
from miniapm.web.receivers.sentry import SENTRY_ROUTES

FOREIGN_ROUTES: tuple[ForeignRoute, ...] = (
    *HOOK_ROUTES,
    *SENTRY_ROUTES,
    *GRAFANA_ROUTES,
    *DATADOG_ROUTES,
    *AIRBRAKE_ROUTES,
    *APPSIGNAL_ROUTES,
    *BIGPANDA_ROUTES,
    *BUGSNAG_ROUTES,
    *DEVLAKE_ROUTES,
    *HONEYBADGER_ROUTES,
    *HONEYCOMB_ROUTES,
    *LOGROCKET_ROUTES,
    *NEWRELIC_ROUTES,
    *PAGERDUTY_ROUTES,
    *ROLLBAR_ROUTES,
)
