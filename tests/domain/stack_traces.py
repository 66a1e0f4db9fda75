"""Stack traces as six languages print them, each with one frame of the application innermost."""

PYTHON = """Traceback (most recent call last):
  File "/app/shop/cart.py", line 10, in total
    return parse(token)
           ^^^^^^^^^^^^
  File "/usr/lib/python3.11/json/__init__.py", line 346, in loads
    return _default_decoder.decode(s)
  File "/srv/venv/lib/python3.11/site-packages/orjson/x.py", line 7, in go
    raise ValueError(s)
ValueError: Expecting value: line 1 column 1 (char 0)
"""
CHAINED_PYTHON = """Traceback (most recent call last):
  File "/app/shop/store.py", line 5, in load
    return rows[0]
IndexError: list index out of range

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/app/shop/web.py", line 9, in show
    cart = load()
  File "/app/shop/cart.py", line 20, in total
    raise LookupError("no cart")
LookupError: no cart
"""
RUBY = """/usr/local/bundle/gems/activerecord-7.1.2/lib/active_record/core.rb:253:in `find'
app/models/cart.rb:10:in `total'
app/controllers/carts_controller.rb:5:in 'CartsController#show'
/usr/local/lib/ruby/3.3.0/benchmark.rb:311:in `realtime'
<internal:kernel>:187:in `loop'"""
NODE = """TypeError: Cannot read properties of undefined (reading 'id')
    at JSON.parse (<anonymous>)
    at Layer.handle [as handle_request] (/app/node_modules/express/lib/router/layer.js:95:5)
    at Cart.total (/app/src/cart.js:10:15)
    at async Promise.all (index 0)
    at async show (file:///app/src/web.mjs:7:3)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"""
BROWSER = """total@https://shop.example/assets/cart.4f9a1c22.js?v=3:10:15
@https://shop.example/assets/cart.4f9a1c22.js?v=3:99:1"""
JAVA = """java.lang.IllegalStateException: no cart 17
\tat org.springframework.web.method.support.Invocable.invoke(Invocable.java:190)
\tat java.base/java.util.ArrayList.get(ArrayList.java:427)
\tat com.acme.shop.Cart.total(Cart.java:10)
\tat com.acme.shop.Web$$Lambda$14/0x0000000800c03000.run(Unknown Source)
\tat java.base/java.lang.Thread.run(Thread.java:1583)
Caused by: java.sql.SQLException: gone
\tat com.acme.shop.Store.load(Store.java:44)
\t... 3 more"""
GO = """goroutine 19 [running]:
runtime/debug.Stack()
\t/usr/local/go/src/runtime/debug/stack.go:24 +0x5e
main.recoverer.func1()
\t/app/middleware.go:10 +0x33
panic({0x6a3f20?, 0x7b1e10?})
\t/usr/local/go/src/runtime/panic.go:884 +0x213
github.com/gin-gonic/gin.(*Context).Next(...)
\t/root/go/pkg/mod/github.com/gin-gonic/gin@v1.9.1/context.go:174
main.(*Cart).Total(0xc0000b2000)
\t/app/cart.go:42 +0x1d
net/http.HandlerFunc.ServeHTTP(0xc00?, {0x7b})
\t/usr/local/go/src/net/http/server.go:2109 +0x2f
created by net/http.(*Server).Serve in goroutine 1
\t/usr/local/go/src/net/http/server.go:3102 +0x4db"""
PHP = """PDOException: no cart in /app/src/Store.php:10
Stack trace:
#0 /app/vendor/laravel/framework/src/Pipeline.php(12): Illuminate\\Pipeline->then()
#1 /app/src/Cart.php(33): App\\Cart->total(Array)
#2 [internal function]: App\\Web->show()
#3 {main}"""
DOTNET = """System.InvalidOperationException: no cart
   at System.Linq.Enumerable.First[TSource](IEnumerable`1 source)
   at Acme.Shop.Cart.Total(Int32 id) in C:\\src\\Shop\\Cart.cs:line 10
   at Microsoft.AspNetCore.Mvc.Invoker.Invoke()"""

# the file, the function and the line of the innermost frame of the application itself
CULPRITS = {
    "python": (PYTHON, "/app/shop/cart.py", "total", 10),
    "chained python": (CHAINED_PYTHON, "/app/shop/cart.py", "total", 20),
    "ruby": (RUBY, "app/models/cart.rb", "total", 10),
    "node": (NODE, "/app/src/cart.js", "Cart.total", 10),
    "browser": (BROWSER, "https://shop.example/assets/cart.4f9a1c22.js?v=3", "total", 10),
    "java": (JAVA, "com.acme.shop.Cart", "total", 10),
    "go": (GO, "/app/cart.go", "main.(*Cart).Total", 42),
    "php": (PHP, "/app/src/Cart.php", "App\\Cart->total", 33),
    "dotnet": (DOTNET, "C:\\src\\Shop\\Cart.cs", "Acme.Shop.Cart.Total", 10),
}
