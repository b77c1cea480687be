"""Asks a shardpool frontend as any client of the Open Inference Protocol would.

    open_inference_client.py TOPOLOGY.json GOLDEN.npz

The stubs are those of grpc_tools for proto/inference.proto; HTTP is Python's own. Prints one line a check and,
last, "N passed, N failed".
"""

import http.client
import json
import sys
import traceback

import grpc
import inference_pb2 as pb
import inference_pb2_grpc
import numpy as np

# How far a served value may be from the recorded one: probability by the contract, pooled by rounding.
PROBABILITY_TOLERANCE = 1e-6
POOLED_TOLERANCE = 1e-5

with open(sys.argv[1]) as file:
    TOPOLOGY = json.load(file)
GOLDEN = np.load(sys.argv[2])
with open(f"{TOPOLOGY['modelDir']}/model.json") as file:
    MANIFEST = json.load(file)
MODEL = TOPOLOGY["modelName"]
CHANNEL = grpc.insecure_channel(TOPOLOGY["frontend"]["address"])
STUB = inference_pb2_grpc.GRPCInferenceServiceStub(CHANNEL)
HTTP_ADDRESS = TOPOLOGY["frontend"]["httpAddress"]


def golden_tensors(id_type):
    values = GOLDEN["values"].astype(np.int64 if id_type == "INT64" else np.int32)
    return [("dense", "FP32", GOLDEN["dense"]), ("lengths", "INT32", GOLDEN["lengths"]), ("values", id_type, values)]


def golden_request(form, id_type):
    request = pb.ModelInferRequest(model_name=MODEL, id="from-python")
    for name, datatype, array in golden_tensors(id_type):
        tensor = request.inputs.add(name=name, datatype=datatype, shape=array.shape)
        if form == "raw":
            request.raw_input_contents.append(array.tobytes())
        elif datatype == "FP32":
            tensor.contents.fp32_contents.extend(array.ravel().tolist())
        elif datatype == "INT32":
            tensor.contents.int_contents.extend(array.ravel().tolist())
        else:
            tensor.contents.int64_contents.extend(array.ravel().tolist())
    for name in ("probability", "logit", "pooled"):
        request.outputs.add(name=name)
    return request


def assert_golden(name, shape, values):
    expected = GOLDEN[name]
    assert tuple(shape) == expected.shape, f"{name}: shape {tuple(shape)}, recorded {expected.shape}"
    tolerance = PROBABILITY_TOLERANCE if name == "probability" else POOLED_TOLERANCE
    worst = np.abs(np.asarray(values, np.float32).reshape(expected.shape) - expected).max()
    assert worst <= tolerance, f"{name}: off by {worst}"


def check_server_is_live_and_ready():
    assert STUB.ServerLive(pb.ServerLiveRequest()).live
    assert STUB.ServerReady(pb.ServerReadyRequest()).ready
    assert STUB.ModelReady(pb.ModelReadyRequest(name=MODEL)).ready


def check_metadata_describes_every_tensor():
    server = STUB.ServerMetadata(pb.ServerMetadataRequest())
    assert server.name == "shardpool" and server.version and "statistics" in server.extensions, server
    model = STUB.ModelMetadata(pb.ModelMetadataRequest(name=MODEL))
    features, _ = GOLDEN["lengths"].shape
    inputs = {tensor.name: (tensor.datatype, list(tensor.shape)) for tensor in model.inputs}
    assert inputs["dense"] == ("FP32", [-1, GOLDEN["dense"].shape[1]]), inputs
    assert inputs["lengths"] == ("INT32", [features, -1]), inputs
    assert inputs["values"] == ("INT64", [-1]), inputs
    assert inputs["ids"] == ("INT64", [-1, features]), inputs
    outputs = {tensor.name: list(tensor.shape) for tensor in model.outputs}
    assert outputs["probability"] == [-1, 1], outputs
    assert outputs["pooled"] == [-1, GOLDEN["pooled"].shape[1]], outputs


def check_golden(form, id_type):
    answer = STUB.ModelInfer(golden_request(form, id_type), timeout=10)
    assert answer.id == "from-python" and answer.model_name == MODEL, answer
    assert "plan_epoch" in answer.parameters and "degraded" in answer.parameters
    for index, output in enumerate(answer.outputs):
        if form == "raw":
            values = np.frombuffer(answer.raw_output_contents[index], np.float32)
        else:
            values = output.contents.fp32_contents
        assert_golden(output.name, output.shape, values)


def check_single_hot_ids():
    features, samples = GOLDEN["lengths"].shape
    rows = {table["name"]: table["rowCount"] for table in MANIFEST["tables"]}
    limits = np.array([rows[feature["table"]] for feature in MANIFEST["features"]], np.int64)
    ids = np.arange(samples * features, dtype=np.int64).reshape(samples, features) % limits
    as_ids = pb.ModelInferRequest(model_name=MODEL)
    as_bags = pb.ModelInferRequest(model_name=MODEL)
    dense = ("dense", "FP32", GOLDEN["dense"])
    for request, tensors in (
        (as_ids, [dense, ("ids", "INT64", ids)]),
        (
            as_bags,
            [
                dense,
                ("lengths", "INT32", np.ones((features, samples), np.int32)),
                ("values", "INT64", np.ascontiguousarray(ids.T).ravel()),
            ],
        ),
    ):
        for name, datatype, array in tensors:
            request.inputs.add(name=name, datatype=datatype, shape=array.shape)
            request.raw_input_contents.append(array.tobytes())
    first, second = STUB.ModelInfer(as_ids, timeout=10), STUB.ModelInfer(as_bags, timeout=10)
    assert first.raw_output_contents[0] == second.raw_output_contents[0]


def assert_refused(request, status, code):
    try:
        STUB.ModelInfer(request, timeout=10)
    except grpc.RpcError as error:
        assert error.code() == status, error
        trailers = dict(error.trailing_metadata())
        assert trailers.get("shardpool-code") == code, trailers
        return
    raise AssertionError(f"answered where {code} was due")


def check_errors_have_status_and_code():
    unknown = golden_request("raw", "INT64")
    unknown.model_name = "nobody"
    assert_refused(unknown, grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")
    version = golden_request("raw", "INT64")
    version.model_version = "999"
    assert_refused(version, grpc.StatusCode.NOT_FOUND, "MODEL_NOT_FOUND")
    short = golden_request("raw", "INT64")
    short.raw_input_contents[2] = short.raw_input_contents[2][:-1]
    assert_refused(short, grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    both = golden_request("raw", "INT64")
    both.inputs[0].contents.fp32_contents.append(1)
    assert_refused(both, grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    output = golden_request("typed", "INT64")
    output.outputs.add(name="nothing")
    assert_refused(output, grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID")
    outside = golden_request("typed", "INT64")
    outside.inputs[2].contents.int64_contents[0] = -1
    assert_refused(outside, grpc.StatusCode.INVALID_ARGUMENT, "ROW_OUT_OF_RANGE")


def check_refusal_before_the_message_is_there():
    huge = golden_request("raw", "INT64")
    huge.raw_input_contents[2] = bytes(65 * 1024 * 1024)
    for _ in range(3):
        assert_refused(huge, grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED")
    STUB.ModelInfer(golden_request("raw", "INT64"), timeout=10)


def check_statistics_count_samples():
    request = pb.ModelStatisticsRequest(name=MODEL)
    before = STUB.ModelStatistics(request).model_stats[0]
    STUB.ModelInfer(golden_request("raw", "INT32"), timeout=10)
    after = STUB.ModelStatistics(request).model_stats[0]
    assert after.inference_count - before.inference_count == GOLDEN["dense"].shape[0]
    assert after.inference_stats.success.count - before.inference_stats.success.count == 1
    assert after.inference_stats.compute_infer.ns > before.inference_stats.compute_infer.ns


def http_call(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(HTTP_ADDRESS, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def check_rest_metadata_and_health():
    status, _, body = http_call("GET", "/v2")
    assert status == 200 and json.loads(body)["name"] == "shardpool", body
    for path in ("/v2/health/live", "/v2/health/ready", f"/v2/models/{MODEL}", f"/v2/models/{MODEL}/ready"):
        assert http_call("GET", path)[0] == 200, path
    status, _, body = http_call("GET", f"/v2/models/{MODEL}/stats")
    assert status == 200 and json.loads(body)["model_stats"][0]["name"] == MODEL, body


def check_rest_json():
    inputs = [
        {"name": name, "datatype": datatype, "shape": list(array.shape), "data": array.ravel().tolist()}
        for name, datatype, array in golden_tensors("INT64")
    ]
    body = json.dumps({"id": "r", "inputs": inputs, "outputs": [{"name": "probability"}, {"name": "pooled"}]})
    status, _, answer = http_call("POST", f"/v2/models/{MODEL}/infer", body)
    assert status == 200, answer
    parsed = json.loads(answer)
    assert parsed["id"] == "r", parsed
    for output in parsed["outputs"]:
        assert_golden(output["name"], output["shape"], output["data"])


def check_rest_binary():
    tensors = golden_tensors("INT64")
    inputs = [
        {
            "name": name,
            "datatype": datatype,
            "shape": list(array.shape),
            "parameters": {"binary_data_size": array.nbytes},
        }
        for name, datatype, array in tensors
    ]
    outputs = [{"name": name, "parameters": {"binary_data": True}} for name in ("probability", "pooled")]
    head = json.dumps({"inputs": inputs, "outputs": outputs}).encode()
    body = head + b"".join(array.tobytes() for _, _, array in tensors)
    headers = {"Inference-Header-Content-Length": str(len(head))}
    status, answer_headers, answer = http_call("POST", f"/v2/models/{MODEL}/infer", body, headers)
    assert status == 200, answer
    length = int(answer_headers["Inference-Header-Content-Length"])
    position = length
    for output in json.loads(answer[:length])["outputs"]:
        size = output["parameters"]["binary_data_size"]
        values = np.frombuffer(answer[position : position + size], np.float32)
        position += size
        assert_golden(output["name"], output["shape"], values)
    assert position == len(answer)


def check_rest_errors():
    status, _, body = http_call("POST", f"/v2/models/{MODEL}/infer", b"{")
    assert (status, json.loads(body)["code"]) == (400, "REQUEST_INVALID"), body
    status, _, body = http_call("POST", "/v2/models/nobody/infer", b"{}")
    assert (status, json.loads(body)["code"]) == (404, "MODEL_NOT_FOUND"), body


CHECKS = [
    ("the server is live and ready", check_server_is_live_and_ready),
    ("metadata describes every tensor", check_metadata_describes_every_tensor),
    *[
        (f"golden requests, {form} contents, {id_type} ids", lambda form=form, id_type=id_type: check_golden(form, id_type))
        for form in ("raw", "typed")
        for id_type in ("INT64", "INT32")
    ],
    ("ids [B, F] stand for bags of one", check_single_hot_ids),
    ("errors have their status and code", check_errors_have_status_and_code),
    ("a refusal comes before the message is there", check_refusal_before_the_message_is_there),
    ("statistics count samples", check_statistics_count_samples),
    ("REST metadata and health", check_rest_metadata_and_health),
    ("REST golden requests in JSON", check_rest_json),
    ("REST golden requests as binary tensors", check_rest_binary),
    ("REST errors have their status and code", check_rest_errors),
]


def main():
    passed = failed = 0
    for name, check in CHECKS:
        try:
            check()
            passed += 1
            print(f"ok - {name}")
        except Exception:
            failed += 1
            print(f"not ok - {name}")
            traceback.print_exc(file=sys.stdout)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
