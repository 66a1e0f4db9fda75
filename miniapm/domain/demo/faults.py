"""What goes wrong in the shop, with stack traces as Python and Node print them."""

from miniapm.clock import HOUR
from miniapm.domain.demo.values import Fault

_DJANGO = """Traceback (most recent call last):
  File "/srv/shop/.venv/lib/python3.12/site-packages/django/core/handlers/base.py", line 197, \
in _get_response
    response = wrapped_callback(request, *callback_args, **callback_kwargs)
               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
"""
_NODE = """
    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)
    at async Consumer.handle (/srv/worker/src/consumer.js:44:7)"""

HOUSE_NUMBER = Fault(
    "KeyError",
    "'house_number'",
    f"""{_DJANGO}  File "/srv/shop/checkout/views.py", line 88, in post
    order = place_order(request.user, form.cleaned_data)
            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/checkout/orders.py", line 41, in place_order
    address = Address.from_form(data)
              ^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/checkout/addresses.py", line 27, in from_form
    return cls(street=data["street"], number=data["house_number"], city=data["city"])
                                             ~~~~^^^^^^^^^^^^^^^^
KeyError: 'house_number'
""",
    "/srv/shop/checkout/addresses.py",
    27,
    (
        "    @classmethod",
        '    def from_form(cls, data: dict[str, str]) -> "Address":',
        '        return cls(street=data["street"], number=data["house_number"], city=data["city"])',
        "",
        "    def lines(self) -> list[str]:",
    ),
)
NO_CONNECTION = Fault(
    "psycopg_pool.PoolTimeout",
    "couldn't get a connection after 0.10 sec",
    f"""{_DJANGO}  File "/srv/shop/catalog/search.py", line 63, in get
    cards = load_cards(found)
            ^^^^^^^^^^^^^^^^^
  File "/srv/shop/catalog/cards.py", line 34, in load_cards
    with pool.connection() as connection:
         ^^^^^^^^^^^^^^^^^
  File "/srv/shop/.venv/lib/python3.12/site-packages/psycopg_pool/pool.py", line 204, in getconn
    raise PoolTimeout(f"couldn't get a connection after {{timeout:.2f}} sec")
psycopg_pool.PoolTimeout: couldn't get a connection after 0.10 sec
""",
    "/srv/shop/catalog/cards.py",
    34,
    (
        "def load_cards(ids: list[int]) -> list[Card]:",
        "    with pool.connection() as connection:",
        "        return [to_card(row) for row in connection.execute(SELECT_CARDS, [ids])]",
    ),
)
PAYMENT_BROKEN = Fault(
    "requests.exceptions.ConnectionError",
    "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
    f"""{_DJANGO}  File "/srv/shop/checkout/views.py", line 91, in post
    charge = gateway.charge(order)
             ^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/payments/gateway.py", line 52, in charge
    answer = self.session.post(CHARGES, json=body, timeout=10)
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/.venv/lib/python3.12/site-packages/requests/adapters.py", line 682, in send
    raise ConnectionError(err, request=request)
requests.exceptions.ConnectionError: ('Connection aborted.', \
RemoteDisconnected('Remote end closed connection without response'))
""",
    "/srv/shop/payments/gateway.py",
    52,
    (
        "    def charge(self, order: Order) -> Charge:",
        "        body = self.describe(order)",
        "        answer = self.session.post(CHARGES, json=body, timeout=10)",
        "        answer.raise_for_status()",
    ),
)
PRODUCT_GONE = Fault(
    "catalog.models.Product.DoesNotExist",
    "Product matching query does not exist.",
    f"""{_DJANGO}  File "/srv/shop/catalog/views.py", line 47, in get
    related = [Product.objects.get(pk=pk) for pk in self.find_related(product)]
               ^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/.venv/lib/python3.12/site-packages/django/db/models/query.py", line 633, in get
    raise self.model.DoesNotExist(
catalog.models.Product.DoesNotExist: Product matching query does not exist.
""",
)
UNKNOWN_HOST = Fault(
    "django.core.exceptions.DisallowedHost",
    "Invalid HTTP_HOST header: '203.0.113.9'. You may need to add '203.0.113.9' to ALLOWED_HOSTS.",
    """Traceback (most recent call last):
  File "/srv/shop/.venv/lib/python3.12/site-packages/django/core/handlers/exception.py", line 55, \
in inner
    response = get_response(request)
               ^^^^^^^^^^^^^^^^^^^^^
  File "/srv/shop/shop/middleware.py", line 19, in __call__
    host = request.get_host()
           ^^^^^^^^^^^^^^^^^^
  File "/srv/shop/.venv/lib/python3.12/site-packages/django/http/request.py", line 202, in get_host
    raise DisallowedHost(msg)
django.core.exceptions.DisallowedHost: Invalid HTTP_HOST header: '203.0.113.9'. \
You may need to add '203.0.113.9' to ALLOWED_HOSTS.
""",
)
NO_STREET = Fault(
    "TypeError",
    "Cannot read properties of undefined (reading 'street')",
    f"""TypeError: Cannot read properties of undefined (reading 'street')
    at formatAddress (/srv/worker/src/mails/address.js:31:24)
    at renderInvoice (/srv/worker/src/mails/invoice.js:58:17){_NODE}""",
    "/srv/worker/src/mails/address.js",
    31,
    (
        "export function formatAddress(order) {",
        "  const { address } = order.customer;",
        "  return `${address.street} ${address.number}\\n${address.city}`;",
        "}",
    ),
)
MAIL_REFUSED = Fault(
    "Error",
    "connect ECONNREFUSED 10.0.3.17:443",
    f"""Error: connect ECONNREFUSED 10.0.3.17:443
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1637:16)
    at async deliver (/srv/worker/src/mails/deliver.js:22:18)
    at async sendMail (/srv/worker/src/mails/send.js:40:3){_NODE}""",
)

CALM = 3 * HOUR
"""Nothing fails at the beginning of the week: what does would be new."""
USUAL = {
    "GET /products/{id}": (0.0006, PRODUCT_GONE),
    "POST /checkout": (0.0025, PAYMENT_BROKEN),
    "process mail.send": (0.0012, MAIL_REFUSED),
}
"""The share of an endpoint's requests that fails at any time, and how."""
