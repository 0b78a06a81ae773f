"""Presigned URLs of an S3 server: AWS Signature Version 4 in the query."""

import hashlib
import hmac
import time
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

EXPIRES = 86_400


@dataclass(frozen=True)
class Bucket:
    endpoint: str
    name: str
    region: str
    access_key: str
    secret_key: str

    def presign(self, method: str, key: str) -> str:
        """Path and query of a request that is allowed for a day."""
        now = time.gmtime()
        day, instant = time.strftime("%Y%m%d", now), time.strftime("%Y%m%dT%H%M%SZ", now)
        scope = f"{day}/{self.region}/s3/aws4_request"
        path = quote(f"/{self.name}/{key}")
        parameters = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key}/{scope}",
            "X-Amz-Date": instant,
            "X-Amz-Expires": str(EXPIRES),
            "X-Amz-SignedHeaders": "host",
        }
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in sorted(parameters.items()))
        host = urlsplit(self.endpoint).netloc
        request = "\n".join([method, path, query, f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"])
        text = "\n".join(["AWS4-HMAC-SHA256", instant, scope, hashlib.sha256(request.encode()).hexdigest()])
        key_of_day = self._key(day)
        return f"{path}?{query}&X-Amz-Signature={hmac.new(key_of_day, text.encode(), hashlib.sha256).hexdigest()}"

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.secret_key}".encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key
