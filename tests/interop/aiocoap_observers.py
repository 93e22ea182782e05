#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Many aiocoap devices observe one resource at once. Prints TAP points.

  aiocoap_observers.py URI PATH FILE CONTEXT-DIRECTORY...

FILE has what is observed, and is changed twice; then it is removed, which ends all of them.
"""
import asyncio
import os
import sys
import time

import aiocoap

uri, path, state = sys.argv[1:4]


def change(text):
    with open(state + ".new", "w") as file:
        file.write(text)
    os.rename(state + ".new", state)


class Observer:
    def __init__(self, directory):
        self.directory, self.heard, self.wrong, self.end = directory, [], None, None

    async def register(self):
        self.context = await aiocoap.Context.create_client_context()
        self.context.client_credentials.load_from_dict(
            {uri + "/*": {"oscore": {"contextfile": self.directory}}})
        message = aiocoap.Message(code=aiocoap.Code.GET, uri=uri + path, observe=0)
        self.request = self.context.request(message)
        self.take(await asyncio.wait_for(self.request.response, 60))
        self.task = asyncio.create_task(self.listen())

    def take(self, answer):
        if type(answer.remote).__name__ != "OSCOREAddress":
            self.wrong = "unprotected"
        if answer.code.is_successful():
            self.heard.append(answer.payload.decode())
        else:
            self.end = answer.code

    async def listen(self):
        try:
            async for notification in self.request.observation:
                self.take(notification)
        except aiocoap.error.ObservationCancelled:
            pass  # by an error, which was taken


def point(good, what, got):
    print(f"{'ok' if good else 'not ok'} - {what}", flush=True)
    if not good:
        print(f"# got {got}")


async def until(observers, done):
    end = time.monotonic() + 60
    while not all(map(done, observers)) and time.monotonic() < end:
        await asyncio.sleep(0.05)


async def main():
    change("one")
    observers = [Observer(directory) for directory in sys.argv[4:]]
    await asyncio.gather(*(observer.register() for observer in observers))
    point(all(o.heard == ["one"] for o in observers), f"{len(observers)} register at once",
          {tuple(o.heard) for o in observers})
    for text in ("two", "three"):
        change(text)
        start = time.monotonic()
        await until(observers, lambda o: o.heard[-1] == text)
        point(all(o.heard[-1] == text for o in observers), f"each hears of {text}",
              {o.heard[-1] for o in observers})
        print(f"# told: {len(observers)} heard of it within {time.monotonic() - start:.1f} s", flush=True)
    os.remove(state)
    await until(observers, lambda o: o.end or o.task.done())
    point(all(o.end == aiocoap.Code.NOT_FOUND for o in observers), "and of the end, which is 4.04",
          {str(o.end) for o in observers})
    point(not any(o.wrong for o in observers), "all protected", {o.wrong for o in observers})
    order = ["one", "two", "three"]
    point(all([t for t in order if t in o.heard] == sorted(set(o.heard), key=o.heard.index) for o in observers),
          "in order", {tuple(o.heard) for o in observers})
    for observer in observers:
        observer.task.cancel()
        await observer.context.shutdown()


asyncio.run(main())
