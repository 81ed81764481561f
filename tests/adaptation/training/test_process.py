import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from adaptation.conversation import Conversation, spoken
from adaptation.errors import NoTurnError, TrainerError
from adaptation.learning.training import resident
from adaptation.learning.training.adapter_files import WEIGHTS
from adaptation.learning.training.chat import Template
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.resident import MAX_BACKOFF_S
from adaptation.learning.training.trainer import Recipe, Spent, TrainingJob
from memory.types import Message
from tests.adaptation.training.working import LONG, in_training

pytestmark = pytest.mark.asyncio(loop_scope="module")
Job = Callable[..., TrainingJob]


def exchange(question: str, answer: str) -> Conversation:
    asked = Message(role="user", content=question)
    return spoken(asked, Message(role="assistant", content=answer))


async def test_a_process_trains_where_it_is_told_to(trainer: ProcessTrainer) -> None:
    await trainer.start()
    assert trainer.pid is not None
    command = psutil.Process(trainer.pid).cmdline()
    assert command[command.index("--device") + 1] == "cpu"
    about = trainer._resident._about
    assert about is not None
    assert (about.device, trainer.device_bytes) == ("cpu", None)


async def test_a_job_lowers_the_losses(trainer: ProcessTrainer, tmp_path: Path, job: Job) -> None:
    result = await trainer.train(job(tmp_path), 300)
    assert result.steps == 6
    assert len(result.losses) == 7
    assert result.losses[-1] < result.losses[0]
    assert sum(result.holdout_after) < sum(result.holdout_before)
    shared = result.flops / (4.0 * trainer.parameters) / result.tokens
    assert 0.5 < shared <= 1, "some of the tokens are computed once for all"
    assert trainer.status == "ready"


async def test_the_files_load_with_peft_and_change_the_logits(
    trainer: ProcessTrainer, tiny_model: Path, tmp_path: Path, job: Job
) -> None:
    await trainer.train(job(tmp_path), 300)
    base = AutoModelForCausalLM.from_pretrained(tiny_model)
    ids = torch.arange(3, 20)[None]
    with torch.no_grad():
        before = base(input_ids=ids).logits
        after = PeftModel.from_pretrained(base, tmp_path).eval()(input_ids=ids).logits
    assert not torch.allclose(before, after, atol=1e-3)


async def test_no_weights_leak_from_one_job_into_the_next(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    first = await trainer.train(job(tmp_path / "a"), 300)
    await trainer.train(job(tmp_path / "b", recipe=Recipe(rank=4, learning_rate=0.1)), 300)
    again = await trainer.train(job(tmp_path / "c"), 300)
    assert again.losses == first.losses
    assert again.holdout_after == first.holdout_after


async def test_a_parent_is_continued_even_at_a_higher_rank(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    first = await trainer.train(job(tmp_path / "a"), 300)
    wider = job(tmp_path / "b", parent=str(tmp_path / "a"), recipe=Recipe(rank=16, min_loss=0.0))
    second = await trainer.train(wider, 300)
    assert second.rank == 16
    assert second.losses[0] == pytest.approx(first.losses[-1], abs=1e-4)
    assert second.holdout_before == pytest.approx(first.holdout_after, abs=1e-4)


async def test_generation_is_greedy_and_follows_the_adapter(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    recipe = Recipe(learning_rate=2e-2, steps=60, batch_size=4, min_loss=0.01)
    taught = exchange("lamp 3?", "lamp is +")
    await trainer.train(job(tmp_path, conversations=(taught,), holdout=(), recipe=recipe), 300)
    more = Message(role="user", content="lamp 4 5?")
    prompts = [taught.until(1), spoken(*taught.messages, more)]
    base = await trainer.generate(prompts, None, 8, 300)
    assert (await trainer.generate(prompts, str(tmp_path), 8, 300))[0] == "lamp is +"
    assert base[0] != "lamp is +"
    assert await trainer.generate(prompts, None, 8, 300) == base


async def test_what_is_measured_is_what_training_was_judged_by(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    made = job(tmp_path)
    result = await trainer.train(made, 300)
    for adapter, losses in ((None, result.holdout_before), (str(tmp_path), result.holdout_after)):
        found = await trainer.measure(made.holdout, adapter, 512, 300)
        assert [each.loss / each.tokens for each in found] == pytest.approx(losses, abs=1e-3)
    learned = await trainer.measure([exchange("lamp?", "lamp"), made.holdout[0]], None, 512, 300)
    assert learned[0].tokens < learned[1].tokens
    assert all(0 <= each.right <= each.tokens for each in learned)


async def test_what_helps_most_is_what_is_most_like_the_others(trainer: ProcessTrainer) -> None:
    alike = [exchange(f"lamp {i}?", "lamp is +") for i in range(6)]
    other = exchange("piano 7 and 8?", "mix mix mix")
    found = await trainer.align([*alike, other], range(6), 512, 300)
    assert len(found) == 7
    assert min(found[:6]) > 0.5 > found[6]
    assert await trainer.align([*alike, other], range(6), 512, 300) == found
    # Alone with its own, each is compared with the others and never with itself.
    (one, two) = await trainer.align([alike[0], other], range(2), 512, 300)
    assert one == pytest.approx(two)
    assert one < 0.5
    assert await trainer.align([alike[0]], [0], 512, 300) == [0.0]
    assert await trainer.align([], [], 512, 300) == []


async def test_what_diverged_cannot_be_measured_and_the_process_lives_on(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    made = job(tmp_path)
    await trainer.train(made, 300)
    pid, weights = trainer.pid, tmp_path / WEIGHTS
    save_file({k: t * float("nan") for k, t in load_file(weights).items()}, weights)
    with pytest.raises(TrainerError, match="diverged"):
        await trainer.measure(made.holdout, str(tmp_path), 512, 300)
    assert await trainer.measure(made.holdout, None, 512, 300)
    assert trainer.pid == pid


async def test_a_missing_parent_is_an_error_and_the_process_lives_on(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    await trainer.start()
    pid = trainer.pid
    with pytest.raises(TrainerError, match="holds no adapter") as told:
        await trainer.train(job(tmp_path, parent=str(tmp_path / "missing")), 300)
    assert told.type is TrainerError, "no trainer was lost"
    await trainer.train(job(tmp_path), 300)
    assert trainer.pid == pid


async def test_a_loss_that_is_not_finite_is_an_error_and_the_process_lives_on(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    await trainer.train(job(tmp_path / "a"), 300)
    pid = trainer.pid
    weights = tmp_path / "a" / WEIGHTS
    save_file({k: t * float("nan") for k, t in load_file(weights).items()}, weights)
    with pytest.raises(TrainerError, match="diverged"):
        await trainer.train(job(tmp_path / "b", parent=str(tmp_path / "a")), 300)
    await trainer.train(job(tmp_path / "c"), 300)
    assert trainer.pid == pid


async def test_jobs_that_outlast_their_time_leave_a_healthy_process_alive(
    trainer: ProcessTrainer, tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resident, "SOFT", 1e6)  # the worker would end the job in time by itself
    await trainer.start()
    pid = trainer.pid
    given = [trainer.train(job(tmp_path, recipe=LONG), 0.3) for _ in range(5)]
    ends = await asyncio.gather(*given, return_exceptions=True)
    assert [str(end) for end in ends] == ["the train request outlasted its time"] * 5
    await trainer.train(job(tmp_path), 300)
    assert trainer.pid == pid


async def test_jobs_train_beside_each_other_and_each_gets_its_own_result(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    work = await in_training(trainer, job(tmp_path / "long"))
    jobs = [job(tmp_path / str(n), recipe=Recipe(rank=1 + n, steps=2 + n)) for n in range(4)]
    results = await asyncio.gather(*(trainer.train(each, 300) for each in jobs))
    assert [(r.path, r.rank, len(r.losses)) for r in results] == [
        (each.output_dir, each.recipe.rank, each.recipe.steps + 1) for each in jobs
    ]
    assert not work.done()
    texts = await trainer.generate([exchange("lamp 3?", "x").until(1)], None, 2, 300)
    assert len(texts) == 1
    work.cancel()
    await asyncio.wait([work])


async def test_one_job_too_many_is_refused_at_once(
    trainer: ProcessTrainer, tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = await in_training(trainer, job(tmp_path / "a"))
    monkeypatch.setattr(resident, "MOST_JOBS", 1)
    with pytest.raises(NoTurnError, match="queue is full: 1 jobs"):
        await trainer.train(job(tmp_path / "b"), 300)
    work.cancel()
    await asyncio.wait([work])
    await trainer.train(job(tmp_path / "c"), 300)


async def test_a_cancelled_job_leaves_a_usable_trainer(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    work = await in_training(trainer, job(tmp_path / "a"))
    pid = trainer.pid
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    await trainer.train(job(tmp_path / "b"), 300)
    assert trainer.pid == pid


async def test_a_job_that_is_too_slow_ends_early_with_what_it_has(
    trainer: ProcessTrainer, tmp_path: Path, job: Job
) -> None:
    spent = Spent()
    result = await trainer.train(job(tmp_path, recipe=LONG, holdout=()), 8.0, None, spent)
    assert 0 < result.steps < LONG.steps
    assert (spent.steps, spent.tokens) == (result.steps, result.tokens), "told step by step"


async def test_a_process_that_cannot_start_says_why(tmp_path: Path) -> None:
    trainer = ProcessTrainer(tmp_path / "no model here", device="cpu")
    with pytest.raises(TrainerError, match=r"cannot start.*there is no folder .*no model here"):
        await trainer.start()
    assert trainer.status.startswith("failed: ")
    await trainer.close()


async def test_closing_during_the_start_leaves_no_process(tiny_model: Path) -> None:
    trainer = ProcessTrainer(tiny_model, device="cpu")
    start = asyncio.create_task(trainer.start())
    await asyncio.sleep(0)
    await trainer.close()
    assert isinstance((await asyncio.gather(start, return_exceptions=True))[0], BaseException)
    assert trainer.status == "closed"
    with pytest.raises(TrainerError, match="closed"):
        await trainer.start()


async def test_the_process_renders_as_it_was_told_and_says_what_it_cannot_render(
    tiny_model: Path, tmp_path: Path, job: Job
) -> None:
    source = (
        "{% if off is not defined %}{{ raise_exception('on') }}{% endif %}"
        "{% for m in messages %}{{ m.content }}{% endfor %}"
    )
    template = Template(source=source, arguments={"off": False})
    trainer = ProcessTrainer(tiny_model, template=template, threads=1, device="cpu")
    turns = exchange("a?", "b")
    refused = turns.model_copy(update={"request": {"tools": [{"type": "custom", "name": "c"}]}})
    try:
        first, second = await trainer.check([turns, refused], 300)
        assert first is None
        assert second is not None
        assert "custom" in second
        with pytest.raises(TrainerError, match="custom"):
            await trainer.train(job(tmp_path, conversations=(refused,)), 300)
    finally:
        await trainer.close()


async def test_failures_without_end_keep_the_pause_bounded() -> None:
    trainer = ProcessTrainer("nowhere")
    trainer._resident._failures = 5_000
    trainer._resident._fail("again")
    left_s = trainer._resident._not_before - asyncio.get_running_loop().time()
    assert 0 < left_s <= MAX_BACKOFF_S
