"""Our own HTTP/1.1 client: requests to one server over kept connections, and nothing that this does not need.

Why not aiohttp or httpx, which are well kept: a streamed chunk costs 39 µs of CPU through aiohttp and 236 to 286 through
httpx (the openai SDK sits on it) where bytes handed straight from the event loop to a parser cost 29 and less, and a crew
of agents on a fast engine is bound by just that. The protocol itself is left to `httptools`, the parser of Node.js.
What is here is the rest: connections that are kept (`pool`), one request at a time on each (`wire`), and the words for
what goes wrong (`faults`). It follows no redirects, knows no cookies, proxies or compression, and never sends twice.
"""
