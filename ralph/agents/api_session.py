"""One conversation of the built-in agent, from the first call to the reason it ended."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from ralph.agents import pricing, review
from ralph.agents.accounts import Kind, Trouble, classify, paused
from ralph.agents.api_answer import Answer
from ralph.agents.api_call import CallFailed, call, client
from ralph.agents.api_history import History
from ralph.agents.api_tools import REVIEW_TOOLS, TOOLS, Tools
from ralph.agents.base import Desk, Job
from ralph.agents.program import said_bytes
from ralph.agents.transcript import Transcript
from ralph.domain import AgentResult, Cause, Usage, Wait

if TYPE_CHECKING:
    from ralph.agents.api import ApiAgent

MIN_TOKENS = 1024
"""A call that may say less than this is not worth its input."""
CACHED_SECONDS = 270.0
"""So long after a call its prompt is still in the provider's cache (5 minutes, less a margin)."""
TICK = 1.0
MAX_CALLS = 32
MAX_CUT = 4
"""Answers in a row that ran into max_tokens."""
MAX_PAUSES = 10
NUDGE = {
    "max_tokens": "Your answer was cut at the output limit. Go on from there, in smaller steps.",
    "model_context_window_exceeded": "The context window was full; older tool results were cut. Go on.",
}


class Ended(Exception):
    """The conversation is over before the model ended it."""

    def __init__(self, error: str | None = None, cause: Cause | None = None, wait: Wait | None = None) -> None:
        super().__init__(error or cause or (wait and wait.reason))
        self.error, self.cause, self.wait = error, cause, wait


class Session:
    """State of one conversation. ``run`` is called once."""

    def __init__(self, agent: ApiAgent, job: Job, desk: Desk) -> None:
        self._agent = agent
        self._job = job
        self._desk = desk
        self._redact = agent.redact(job)
        self._options = agent.options()
        self._tools = Tools(desk, job.env, writes=job.review is None)
        self._history = History(job.system, REVIEW_TOOLS if job.review else TOOLS, job.prompt)
        self._transcript = Transcript(job.run_dir / "transcript.jsonl", self._redact)
        self._used = Usage()
        self._said = self._handed_in = ""
        self._turn = 0
        self._called = 0.0
        self._row = {"max_tokens": 0, "pause_turn": 0}
        self._stop: Cause | None = None
        self._fault: BaseException | None = None
        self._main: asyncio.Task[AgentResult] | None = None

    async def run(self) -> AgentResult:
        """Converse until the end; what the desk says is heard at any moment."""
        base_url = self._agent.settings.base_url or self._job.secrets.get("ANTHROPIC_BASE_URL", "")
        key = self._job.secrets[self._agent.settings.api_key_env]
        self._main = asyncio.current_task()
        self._client = client(key, base_url, self._agent.patience.idle)
        loop = asyncio.get_running_loop()
        loop.add_reader(self._desk.fileno(), self._hear)
        self._ticker = loop.call_later(TICK, self._tick)
        try:
            async with asyncio.timeout(self._job.seconds or None) as limit:
                return await self._until_end()
        except TimeoutError:
            if not limit.expired():
                raise
            return self._result(cause=Cause.TIMEOUT)
        except asyncio.CancelledError:
            if self._fault:
                raise self._fault from None
            if not self._stop:
                raise
            return self._result(cause=self._stop)
        finally:
            loop.remove_reader(self._desk.fileno())
            self._ticker.cancel()
            self._tools.close()
            self._transcript.close()
            await self._client.close()

    async def _until_end(self) -> AgentResult:
        try:
            while True:
                self._hear()
                await asyncio.sleep(0)  # where a stop is heard here, this is where it takes effect
                answer = await self._answer()
                if not await self._went_on(answer):
                    return self._result(exit_code=0)
        except Ended as end:
            return self._result(error=end.error, cause=end.cause, wait=end.wait)

    def _result(self, **how: Any) -> AgentResult:
        if how.get("error"):
            how["error"] = self._redact(how["error"])
        return AgentResult(usage=self._used, said=self._redact(self._said), **how)

    # What the daemon says.

    def _hear(self) -> None:
        """Take in the desk's words: notes for the next message, a stop at once."""
        try:
            while word := self._desk.poll():
                if word.stop:
                    self._end(self._desk.stop_cause() or Cause.STOPPED)
                else:
                    self._history.note(word.text)
                    self._transcript.write("note", text=word.text)
            if cause := self._desk.stop_cause() or self._tools.look():
                self._end(cause)
        except Exception as error:  # noqa: BLE001 - raised again by run(); the event loop would only log it
            self._fault = error
            self._cancel()

    def _tick(self) -> None:
        self._ticker = asyncio.get_running_loop().call_later(TICK, self._tick)
        self._hear()

    def _end(self, cause: Cause) -> None:
        self._stop = self._stop or cause
        self._cancel()

    def _cancel(self) -> None:
        main, self._main = self._main, None
        if main is not None:
            asyncio.get_running_loop().remove_reader(self._desk.fileno())
            main.cancel()

    # Calls.

    async def _answer(self) -> Answer:
        """A whole answer to the conversation so far, however many calls it takes. Raises Ended."""
        patience, waited, tries = self._agent.patience, 0.0, 0
        while True:
            try:
                return await self._call(self._grant())
            except CallFailed as failed:
                trouble = classify(failed.reply, self._agent.now())
                self._transcript.write("error", turn=self._turn, kind_of=trouble.kind.value, text=trouble.reason)
                if self._without_option(failed) or self._shrunk(trouble):
                    continue
                if trouble.kind is not Kind.RETRY:
                    raise Ended(error=trouble.reason, wait=trouble.wait) from None
                delay = self._delay(trouble, tries)
                if trouble.wait or tries >= trouble.tries or waited + delay > patience.retries:
                    chance = self._agent.chance() * 10
                    raise Ended(trouble.reason, wait=paused(trouble, self._agent.now(), chance)) from None
                waited, tries = waited + delay, tries + 1
                self._desk.waiting(self._agent.now().timestamp() + delay, trouble.reason)
                await asyncio.sleep(delay)

    def _delay(self, trouble: Trouble, tries: int) -> float:
        """Seconds before the next try: what the server asked for and a little more, else full jitter."""
        if trouble.after is not None:
            return max(trouble.after, 0.1) * (1 + 0.1 * self._agent.chance())
        return self._agent.patience.scale * self._agent.chance() * min(30.0, trouble.base * 2.0**tries)

    def _grant(self) -> int:
        """Reserve budget for a call; how many tokens it may say. Raises Ended where it is denied."""
        limit, job = self._agent.settings.max_tokens, self._job
        context, fresh = self._history.estimate(cached=time.monotonic() - self._called < CACHED_SECONDS)
        if job.tokens:
            left = job.tokens - self._used.counted - fresh
            if left < min(MIN_TOKENS, limit):
                raise Ended(cause=Cause.TOKENS)
            limit = min(limit, left)
        dollars = pricing.estimate(self._agent.model, context, limit, self._agent.prices)
        grant = self._desk.ask(fresh + limit, dollars)
        if not grant.ok:
            raise Ended(cause=grant.cause or Cause.STOPPED)
        return limit

    async def _call(self, max_tokens: int) -> Answer:
        request = {
            "model": self._agent.model,
            "max_tokens": max_tokens,
            **self._history.request(),
            **self._options,
        }
        new = self._history.unsent()
        self._transcript.write("request", turn=self._turn, max_tokens=max_tokens, messages=new)
        answer, spent = Answer(), False
        try:
            await call(self._client, request, answer, self._agent.patience.idle)
        except CallFailed as failed:
            spent = True
            self._settle(answer, charged=failed.reached or answer.begun)
            raise
        finally:
            if not spent:
                self._settle(answer, charged=True)
        self._transcript.write(
            "response", turn=self._turn, content=answer.content, stop_reason=answer.stop_reason, usage=answer.usage
        )
        return answer

    def _settle(self, answer: Answer, charged: bool) -> None:
        """Record what a call used, exactly once for each grant, also where it broke off."""
        usage = Usage(calls=1)
        if charged:
            usage = answer.priced(self._agent.model, self._history.size, self._agent.prices)
        if answer.complete:
            self._called = time.monotonic()
            self._history.counted(answer.usage)
        self._used += usage
        self._desk.spent(usage, self._agent.model)

    def _without_option(self, failed: CallFailed) -> bool:
        """Leave out a parameter that the model or the gateway does not know; only at the first call."""
        if failed.reply.status != 400 or self._turn:
            return False
        words = {
            "thinking": ("thinking",),
            "output_config": ("output_config", "effort"),
            "cache_control": ("cache_control",),
        }
        for name, marks in words.items():
            if name in self._options and any(mark in failed.reply.message for mark in marks):
                del self._options[name]
                return True
        return False

    def _shrunk(self, trouble: Trouble) -> bool:
        return trouble.kind is Kind.SHRINK and self._history.shrink()

    # What the model wants.

    async def _went_on(self, answer: Answer) -> bool:
        """Carry out what the answer asks for; False where the model is done. Raises Ended."""
        self._turn += 1
        self._said = answer.text[-said_bytes(self._job) :] or self._said
        reason = answer.stop_reason
        for name in self._row:
            self._row[name] = self._row[name] + 1 if name == reason else 0
        self._history.heard(answer.content)
        if reason == "refusal":
            details = answer.stop_details or {}
            raise Ended(
                error=f"the model refused: {details.get('explanation') or details.get('category') or 'no reason'}"
            )
        if self._row["max_tokens"] > MAX_CUT or self._row["pause_turn"] > MAX_PAUSES:
            raise Ended(error=f"{max(self._row.values())} answers in a row ended with {reason}")
        if reason == "model_context_window_exceeded" and not self._history.shrink():
            raise Ended(error="the conversation does not fit into the model's context window")
        if reason in NUDGE:
            results = [_result(one, "not run: the answer was cut here", True) for one in answer.calls]
            self._history.say([*results, {"type": "text", "text": NUDGE[reason]}])
            return True
        if answer.calls:
            results = await self._results(answer)
            if self._handed_in:
                self._said = self._handed_in
                return False
            self._history.say(results)
            return True
        return reason == "pause_turn"

    async def _results(self, answer: Answer) -> list[dict[str, Any]]:
        results = []
        for number, one in enumerate(answer.calls):
            if number >= MAX_CALLS:
                text, failed = f"not run: more than {MAX_CALLS} calls at once", True
            elif (raw := answer.broken.get(one["id"])) is not None:
                text, failed = f"not run: the arguments are no JSON object: {raw}", True
            elif self._job.review and one["name"] == review.TOOL:
                text, failed = self._hand_in(one["input"])
            else:
                text, failed = await self._tools.call(one["name"], one["input"])
            results.append(_result(one, text, failed))
        return results

    def _hand_in(self, given: object) -> tuple[str, bool]:
        """Take a review in; one that can't be read goes back to the model."""
        problem = review.checked(given, "")[1]
        if not problem:
            self._handed_in = json.dumps(given, ensure_ascii=False)
        return problem or "handed in", bool(problem)


def _result(call: dict[str, Any], text: str, failed: bool) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call["id"], "content": text, "is_error": failed}
