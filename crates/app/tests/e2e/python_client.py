"""Drives a running server with the published AutoRetouch client, unmodified.

Arguments: base URL, refresh token, a photo, folder of many, folder for results, name of a workflow.
Prints one JSON object of what it saw; any surprise ends it with an error.
"""

import json
import os
import sys

from autoretouch.api_client.client import AutoRetouchAPIClient
from autoretouch.api_client.model import ApiConfig

base, refresh_token, path, photos, results, workflow_name = sys.argv[1:7]
config = ApiConfig(
    BASE_API_URL=base,
    BASE_API_URL_CURRENT=base + "/v1",
    CLIENT_ID="V8EkfbxtBi93cAySTVWAecEum4d6pt4J",
    SCOPE="offline_access",
    AUDIENCE="https://api.autoretouch.com",
    AUTH_DOMAIN=base,
)
client = AutoRetouchAPIClient(api_config=config, refresh_token=refresh_token, save_credentials=False)
assert client.get_api_status() == 200

organization = client.get_organizations()[0]
client.organization_id = organization.id
assert client.get_organization(organization.id).name == organization.name
assert organization.members[0]["roles"] == ["admin"], organization.members

workflows = client.get_workflows()
first = workflows[0]
assert first.executionPrice == 10, first
assert client.get_workflow(first.id).to_dict() == first.to_dict()
retouching = next(workflow for workflow in workflows if workflow.name == workflow_name)

before = int(client.get_balance())

with open(path, "rb") as file:
    content = file.read()
content_hash = client.upload_image(path)
with open(path, "rb") as file:
    assert client.upload_image_from_stream(file) == content_hash
assert client.upload_image_from_bytes(content, "shirt 01.jpg") == content_hash
assert client.upload_image_from_bytes(content, "no extension") == content_hash
assert client.download_image(content_hash, "anything at all.jpg") == content

labels = {"season": "SS26", "autoretouch_batch_id": "b1"}
by_hash = client.create_workflow_execution_for_image_reference(
    retouching.id, content_hash, "shirt 01.jpg", labels=labels, settings={"input": {"some": "settings"}}
)
by_file = client.create_workflow_execution_for_image_file(retouching.id, path, labels={"season": "SS26"})
seen = client.get_workflow_execution_details(by_hash).status
assert seen in ("CREATED", "ACTIVE"), seen

for execution_id in (by_hash, by_file):
    stream = client.get_workflow_execution_status_blocking(execution_id)
    assert stream == "id:COMPLETED\nevent:COMPLETED\ndata:COMPLETED\n\n", repr(stream)

details = client.get_workflow_execution_details(by_hash)
assert details.labels == labels, details.labels
assert details.inputFileName == "shirt 01.jpg" and details.resultFileName.startswith("shirt 01"), details
assert details.chargedCredits == retouching.executionPrice, details
assert details.workflowVersion == retouching.version
assert details.createdAt <= details.startedAt <= details.finishedAt, details
assert client.get_workflow_execution_details(by_file).labels == {"season": "SS26"}

downloads = [
    client.download_result_blocking(by_hash),
    client.download_result(details.resultPath),
    client.download_image(details.resultContentHash, details.resultFileName),
]
assert len(downloads[0]) > 1000 and downloads[0] == downloads[1] == downloads[2]

assert client.retry_workflow_execution(by_hash) == 404, "a completed execution cannot be retried"

listed = client.get_workflow_executions(retouching.id)
assert [entry.id for entry in listed.entries].count(by_hash) == 1 and listed.total == 2

assert int(client.get_balance()) == before - 2 * retouching.executionPrice

client.process_folder(photos, results, workflow_id=first.id)
made = sorted(os.listdir(results))
assert made == sorted(os.listdir(photos)), made
after = int(client.get_balance())
assert after == before - 2 * retouching.executionPrice - len(made) * first.executionPrice, (before, after)

print(json.dumps({"folder": len(made), "charged": before - after, "result_bytes": len(downloads[0])}))
