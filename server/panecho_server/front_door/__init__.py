"""The process that listens on the server's ports and passes requests on to ``tritonserver``.

``tritonserver`` itself listens on Unix sockets in a folder that only its user can enter. So the ports are held before
any model loads, they stay held while the server restarts, and no request reaches it unread: Triton before 25.08 ends
with SIGFPE when a caller asks for the classification of a text output (``classification``), and Triton before 25.07
with a stack overflow when an HTTP body comes in many chunks (CVE-2025-23310, CVE-2025-23311).

Run by ``process.FrontDoor`` as ``python -m panecho_server.front_door SETTINGS``.
"""
