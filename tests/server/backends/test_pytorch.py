"""The Python-based ``pytorch`` backend, through the real server, on small TorchScript models."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from panecho_server import TritonServer

BAD = 255


@pytest.fixture
def client(server: TritonServer) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server.grpc_url) as client:
        yield client


def infer(client: triton.InferenceServerClient, model: str, values: list[list[int]]) -> dict[str, NDArray[np.float32]]:
    array = np.array(values, np.uint8)
    tensor = triton.InferInput("values", list(array.shape), "UINT8")
    tensor.set_data_from_numpy(array)
    result = client.infer(model, [tensor])
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def test_outputs_are_matched_by_their_order(client: triton.InferenceServerClient) -> None:
    outputs = infer(client, "doubling", [[1, 2], [3, 4]])
    assert outputs["doubled"].tolist() == [[2, 4], [6, 8]]
    assert outputs["total"].tolist() == [[3], [7]]


def test_requests_are_merged_and_split_again(client: triton.InferenceServerClient) -> None:
    before = client.get_inference_statistics("doubling", as_json=True)["model_stats"][0]
    with ThreadPoolExecutor(6) as pool:
        totals = list(pool.map(lambda n: infer(client, "doubling", [[n, n]] * (1 + n % 2))["total"], range(6)))
    after = client.get_inference_statistics("doubling", as_json=True)["model_stats"][0]
    assert [total.tolist() for total in totals] == [[[2 * n]] * (1 + n % 2) for n in range(6)]
    assert int(after["execution_count"]) - int(before.get("execution_count", 0)) < 6


def test_a_bad_request_does_not_harm_the_others_of_its_batch(client: triton.InferenceServerClient) -> None:
    def total(value: int) -> list[list[float]] | str:
        try:
            answer: list[list[float]] = infer(client, "doubling", [[value, 0]])["total"].tolist()
        except InferenceServerException as error:
            return str(error)
        return answer

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(total, [1, 2, BAD, 3, 4]))
    assert answers[:2] + answers[3:] == [[[1.0]], [[2.0]], [[3.0]], [[4.0]]]
    assert "the model failed" in str(answers[2])


def test_a_dictionary_is_refused_as_by_the_native_backend(client: triton.InferenceServerClient) -> None:
    with pytest.raises(InferenceServerException, match="the model failed: TypeError"):
        infer(client, "dictionary", [[1, 2]])


@pytest.mark.parametrize("shape", [(1, 0, 224, 224, 3), (0, 1, 224, 224, 3)])
def test_an_input_that_holds_nothing_is_refused_before_the_model(
    client: triton.InferenceServerClient, shape: tuple[int, ...]
) -> None:
    tensor = triton.InferInput("clips", list(shape), "UINT8")
    tensor.set_data_from_numpy(np.zeros(shape, np.uint8))
    with pytest.raises(InferenceServerException) as refused:
        client.infer("backbone", [tensor])
    assert refused.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert "Traceback" not in refused.value.message()


def test_serving_writes_no_bytecode_into_the_repository(server: TritonServer) -> None:
    assert [*server.settings.model_repository.rglob("__pycache__")] == []
