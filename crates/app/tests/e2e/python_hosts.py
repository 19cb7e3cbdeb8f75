"""Drives the server with the published AutoRetouch client and the addresses it has built in.

Argument: refresh token. Prints one JSON object of what it saw; any surprise ends it with an error.
"""

import json
import sys
from urllib.parse import urlsplit

from autoretouch.api_client.client import AutoRetouchAPIClient

client = AutoRetouchAPIClient(refresh_token=sys.argv[1], save_credentials=False)
assert client.api_config.BASE_API_URL == "https://api.autoretouch.com", client.api_config
assert client.get_api_status() == 200
organization = client.get_organizations()[0]
client.organization_id = organization.id
assert client.get_workflows()[0].executionPrice == 10
device = client.get_device_code()
url = urlsplit(device.verification_uri_complete)
assert url.query == "user_code=" + device.user_code, url
print(json.dumps({"organization": str(organization.id), "verification": f"{url.scheme}://{url.netloc}{url.path}"}))
