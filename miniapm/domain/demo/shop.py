"""What the shop serves: two services, and what each request of them calls."""

from miniapm.domain.demo.values import Call, Endpoint

_SESSION = Call("query", "SELECT user_id, data FROM sessions WHERE id = %s", 0.02, 0.06)
_CARD_PRODUCTS = "SELECT id, name, price, image FROM products WHERE id = ANY(%s)"

ENDPOINTS = (
    Endpoint(
        "web", "GET /", 20, 38_000, 0.22, "/",
        (
            _SESSION,
            Call("query", "SELECT id, title, image FROM campaigns WHERE active", 0.10, 0.28),
            Call("query", _CARD_PRODUCTS, 0.32, 0.70),
        ),
    ),
    Endpoint(
        "web", "GET /products", 22, 62_000, 0.24, "/products",
        (
            _SESSION,
            Call("query", "SELECT count(*) FROM products WHERE category_id = %s", 0.08, 0.22),
            Call(
                "query",
                "SELECT id, name, price, image FROM products WHERE category_id = %s "
                "ORDER BY position LIMIT 24 OFFSET %s",
                0.24, 0.68,
            ),
        ),
    ),
    Endpoint(
        "web", "GET /products/{id}", 40, 96_000, 0.24, "/products/{}",
        (
            _SESSION,
            Call("query", "SELECT * FROM products WHERE id = %s", 0.08, 0.20),
            Call("query", "SELECT rating, text FROM reviews WHERE product_id = %s", 0.22, 0.44),
            Call("http", "http://recommendations:8080/related/{}", 0.46, 0.86),
        ),
    ),
    Endpoint(
        "web", "GET /search", 34, 118_000, 0.24, "/search",
        (
            _SESSION,
            Call("http", "http://search:9200/products/_search", 0.08, 0.52),
            Call("query", _CARD_PRODUCTS, 0.55, 0.82),
        ),
    ),
    Endpoint(
        "web", "POST /cart/items", 10, 46_000, 0.22, "/cart/items",
        (
            _SESSION,
            Call("query", "SELECT price, stock FROM products WHERE id = %s", 0.12, 0.30),
            Call(
                "query",
                "INSERT INTO cart_items (cart_id, product_id, quantity) VALUES (%s, %s, %s)",
                0.35, 0.75,
            ),
        ),
    ),
    Endpoint(
        "web", "POST /checkout", 10, 290_000, 0.22, "/checkout",
        (
            _SESSION,
            Call("query", "SELECT * FROM cart_items WHERE cart_id = %s", 0.07, 0.12),
            Call("query", "INSERT INTO orders (customer_id, total) VALUES (%s, %s)", 0.14, 0.24),
            Call("http", "https://payments.example.com/v1/charges", 0.26, 0.82),
            Call("query", "UPDATE orders SET paid_at = %s WHERE id = %s", 0.84, 0.92),
            Call("publish", "order.placed", 0.94, 0.97),
        ),
    ),
    Endpoint(
        "worker", "process order.placed", 10, 140_000, 0.24, "order.placed",
        (
            Call("query", "SELECT * FROM orders WHERE id = $1", 0.04, 0.16),
            Call("query", "UPDATE stock SET reserved = $1 WHERE product_id = $2", 0.18, 0.46, 2),
            Call("publish", "mail.send", 0.90, 0.94),
        ),
    ),
    Endpoint(
        "worker", "process mail.send", 12, 210_000, 0.22, "mail.send",
        (
            Call("query", "SELECT email, locale FROM customers WHERE id = $1", 0.03, 0.10),
            Call("http", "https://mail.example.com/v3/send", 0.30, 0.92),
        ),
    ),
)  # fmt: skip

BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
