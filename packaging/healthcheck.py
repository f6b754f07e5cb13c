"""Whether `qwq-gguf serve` answers in this container: exit status 0 or 1."""

from __future__ import annotations

import http.client
import os
import sys


def main() -> int:
    """Ask /health, which needs no key."""
    port = int(os.environ.get("QWQ_GGUF_SERVE_PORT", "8080"))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer at port {port}: {error}")
        return 1
    finally:
        connection.close()
    print(f"/health says {status}")
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
