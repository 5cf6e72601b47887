import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AttemptAge,
  freeNonce,
  gapMove,
  type IntentRecord,
  isStuck,
  mostFillers,
  nextMove,
} from "../../../keepers/src/chain/transactions/machine.ts";
import { QueueModel, type Weather } from "./queue-model.ts";
import { seeded, walksOf } from "./random.ts";

const fair: Weather = { hidesReceipts: false, isBehind: false, isStuck: false, wouldFail: false };
const weathers: Weather[] = [
  fair,
  { ...fair, isStuck: true },
  { ...fair, isStuck: true, wouldFail: true },
  { ...fair, hidesReceipts: true },
  { ...fair, isBehind: true },
  { ...fair, hidesReceipts: true, isBehind: true, isStuck: true },
];

function mustHold(model: QueueModel, trail: string): void {
  model.intents.forEach((_, intent) => {
    assert.ok(model.effects(intent) <= 1, `intent ${intent} took effect twice: ${trail}`);
  });
}

/** Lets endpoints and chain behave; what was asked for is asked for again until it is done. */
function settleAll(model: QueueModel): void {
  model.bounds = { ...model.bounds, attempts: Number.POSITIVE_INFINITY };
  for (let round = 0; round < 80; round++) {
    model.look({ ...fair, isStuck: round % 5 === 4 });
    model.intents.forEach((each, intent) => {
      each.isUnwanted = false;
      model.retry(intent);
    });
    model.mine(model.candidates.at(-1));
    if (model.intents.every(({ status, isFinal }) => status === "mined" && isFinal)) return;
  }
}

/** Every model that one event makes of another. */
function* successors(model: QueueModel): Generator<[string, QueueModel]> {
  const after = (name: string, change: (copy: QueueModel) => void): [string, QueueModel] => {
    const copy = model.copy();
    change(copy);
    return [name, copy];
  };
  if (model.intents.length < model.bounds.intents) yield after("submit", (it) => it.submit());
  if (model.chain.length < model.bounds.blocks) {
    yield after("empty block", (it) => it.mine(undefined));
    for (const candidate of model.candidates) {
      yield after(`block with ${candidate.intent}/${candidate.nonce}`, (it) => it.mine(candidate));
      if (candidate.intent >= 0 && !candidate.cancels)
        yield after(`block reverting ${candidate.intent}/${candidate.nonce}`, (it) =>
          it.mine(candidate, true),
        );
    }
  }
  for (let depth = 1; depth <= model.reach; depth++)
    yield after(`reorganisation of ${depth}`, (it) => it.reorganise(depth));
  for (const [i, weather] of weathers.entries()) yield after(`look ${i}`, (it) => it.look(weather));
  if (!model.signed.some(({ intent }) => intent < 0))
    yield after("another program", (it) => it.signElsewhere());
  for (const [i, { status }] of model.intents.entries()) {
    if (status === "failed") yield after(`retry ${i}`, (it) => it.retry(i));
    else if (status === "pending") yield after(`refusal of ${i}`, (it) => it.refuse(i));
  }
  yield after("restart", (it) => it.restart());
}

describe("the machine of the transaction queue", () => {
  it("has no intent take effect twice in any of all histories within small bounds, and each can still be done", () => {
    const bounds = { intents: 1, finality: 2, confirmations: 1, attempts: 3, blocks: 4 };
    const first = new QueueModel(bounds);
    const seen = new Set([first.name]);
    let edge: [string, QueueModel][] = [["", first]];
    for (let depth = 0; depth < 9 && edge.length > 0; depth++) {
      const next: [string, QueueModel][] = [];
      for (const [trail, model] of edge) {
        for (const [event, successor] of successors(model)) {
          const { name } = successor;
          if (seen.has(name)) continue;
          seen.add(name);
          const path = `${trail}, ${event}`;
          mustHold(successor, path);
          next.push([path, successor]);
        }
      }
      edge = next;
    }
    assert.ok(seen.size > 5_000, `${seen.size} states`);
    for (const [trail, model] of edge.filter((_, i) => i % 10 === 0)) {
      const end = model.copy();
      settleAll(end);
      for (const intent of end.intents.keys())
        assert.equal(end.effects(intent), 1, `${intent} is left: ${trail}`);
    }
  });

  it("does each of several intents exactly once in thousands of random histories", () => {
    for (let seed = 1; seed <= walksOf(5_000); seed++) {
      const random = seeded(seed);
      const finality = 1 + random.below(5);
      const confirmations = 1 + random.below(finality);
      const model = new QueueModel({ intents: 4, finality, confirmations, attempts: 8, blocks: 1_000 });
      const trail: string[] = [];
      for (let step = 0; step < 60; step++) {
        const options = [...events(model, random)];
        const [name, change] = options[random.below(options.length)]!;
        trail.push(name);
        change();
        mustHold(model, `seed ${seed}: ${trail.join(", ")}`);
      }
      settleAll(model);
      for (const intent of model.intents.keys())
        assert.equal(model.effects(intent), 1, `seed ${seed}, intent ${intent}: ${trail.join(", ")}`);
    }
  });
});

/** What may happen next in a random history; what keeps it going is likelier. */
function events(model: QueueModel, random: ReturnType<typeof seeded>): [string, () => void][] {
  const list: [string, () => void][] = [];
  const look = random.below(weathers.length);
  for (let i = 0; i < 3; i++) list.push([`look ${look}`, () => model.look(weathers[look]!)]);
  if (model.intents.length < model.bounds.intents) list.push(["submit", () => model.submit()]);
  const { candidates } = model;
  const candidate = candidates[random.below(Math.max(1, candidates.length))];
  const isReverted = candidate !== undefined && candidate.intent >= 0 && random.chance(0.3);
  list.push(["block", () => model.mine(candidate, isReverted)], ["empty block", () => model.mine(undefined)]);
  if (model.reach > 0) {
    const depth = 1 + random.below(model.reach);
    list.push([`reorganisation of ${depth}`, () => model.reorganise(depth)]);
  }
  if (random.chance(0.3)) list.push(["another program", () => model.signElsewhere()]);
  if (random.chance(0.3)) list.push(["restart", () => model.restart()]);
  model.intents.forEach(({ status }, i) => {
    if (status === "failed") list.push([`retry ${i}`, () => model.retry(i)]);
    else if (status === "pending" && random.chance(0.1)) list.push([`refusal ${i}`, () => model.refuse(i)]);
  });
  return list;
}

describe("the moves of the transaction queue", () => {
  const hash = (n: number) => `0x${n.toString(16).padStart(64, "0")}` as const;
  const attempt = { hash: hash(1), nonce: 5, cancels: false, isSent: true, isStuck: false };
  const pending: IntentRecord = {
    nonce: 5,
    status: "pending",
    hash: undefined,
    blockHash: undefined,
    isUnwanted: false,
    isFiller: false,
    attempts: [attempt],
  };
  const depths = { confirmations: 2, finality: 4 };
  const seenAt = (depth: bigint, outcome: "succeeded" | "reverted" = "succeeded") => ({
    counted: 6,
    inclusion: { hash: hash(1), blockHash: hash(9), outcome, depth },
    user: undefined,
  });
  const unseen = { counted: 6, inclusion: undefined, user: undefined };

  it("tell callers at the confirmations, and forget at the finality", () => {
    assert.deepEqual(nextMove(pending, seenAt(1n), depths), { kind: "wait" });
    assert.deepEqual(nextMove(pending, seenAt(2n), depths), {
      kind: "settle",
      status: "mined",
      isFinal: false,
    });
    const told: IntentRecord = { ...pending, status: "mined", hash: hash(1), blockHash: hash(9) };
    assert.deepEqual(nextMove(told, seenAt(3n), depths), { kind: "wait" });
    assert.deepEqual(nextMove(told, seenAt(4n), depths), { kind: "settle", status: "mined", isFinal: true });
    assert.deepEqual(nextMove(told, unseen, depths), { kind: "reopen" });
    const elsewhere = { ...told, blockHash: hash(8) };
    assert.deepEqual(nextMove(elsewhere, seenAt(3n), depths), { kind: "reopen" });
  });

  it("take a missing receipt beside a used nonce for nothing, and only another signature for proof", () => {
    assert.deepEqual(nextMove(pending, unseen, depths), { kind: "locate" });
    assert.deepEqual(nextMove(pending, { ...unseen, user: "own" }, depths), { kind: "wait" });
    assert.deepEqual(nextMove(pending, { ...unseen, user: "other" }, depths), { kind: "renumber" });
    assert.deepEqual(nextMove({ ...pending, isFiller: true }, { ...unseen, user: "other" }, depths), {
      kind: "drop",
    });
  });

  it("fill small gaps of nonces, and move intents down from nonces out of reach", () => {
    const at = (...nonces: number[]) => nonces.map((nonce) => ({ key: `k${nonce}`, nonce }));
    assert.deepEqual(gapMove(at(5, 9), 5), { kind: "none" });
    assert.deepEqual(gapMove(at(8), 5), { kind: "fill", nonces: [5, 6, 7] });
    const far = 5 + mostFillers + 1;
    assert.deepEqual(gapMove(at(far, 1e9), 5), {
      kind: "moveDown",
      nonces: [
        [`k${far}`, 5],
        ["k1000000000", 6],
      ],
    });
    assert.equal(freeNonce(5, 1e9, [5, 6, 1e9]), 7, "a pool that cannot be is not believed");
    assert.equal(freeNonce(5, 7, [5]), 7, "what another program has waiting is left alone");
  });

  it("believe a pool as far as fillers reach, above what this account has waiting itself, and never below the chain", () => {
    assert.equal(freeNonce(5, 5 + mostFillers, []), 5 + mostFillers);
    assert.equal(freeNonce(5, 5 + mostFillers + 1, []), 5);
    assert.equal(freeNonce(5, 5 + mostFillers + 2, [5, 6]), 5 + mostFillers + 2);
    assert.equal(freeNonce(5, 5 + mostFillers + 3, [5, 6]), 7);
    assert.equal(freeNonce(5, 3, []), 5);
  });

  it("raise a fee after the time or the blocks, and only once by the time alone while no block comes", () => {
    const at = (madeAt: number, madeAtBlock: bigint, more: Partial<AttemptAge> = {}): AttemptAge => {
      return { nonce: 5, cancels: false, madeAt, madeAtBlock, ...more };
    };
    const patience = { milliseconds: 60, blocks: 12 };
    const is = (attempt: AttemptAge, others: AttemptAge[], time: number, head: bigint) =>
      isStuck(attempt, [attempt, ...others], { time, head }, patience);
    assert.equal(is(at(100, 7n), [], 159, 18n), false);
    assert.equal(is(at(100, 7n), [], 160, 7n), true, "the time is over");
    assert.equal(is(at(100, 7n), [], 100, 19n), true, "the blocks have passed");
    const [first, second] = [at(0, 7n), at(100, 7n)];
    assert.equal(is(second, [first], 1e9, 7n), false, "no block has come since the one before");
    assert.equal(is(second, [first], 160, 8n), true);
    assert.equal(is(second, [first], 159, 8n), false, "a block alone is not the time");
    assert.equal(is(second, [at(0, 6n)], 160, 7n), true, "that one was replaced for the block");
    assert.equal(is(second, [at(0, 7n, { nonce: 4 })], 160, 7n), true, "of another nonce");
    assert.equal(is(second, [at(0, 7n, { cancels: true })], 160, 7n), true, "for something else");
    const ahead = [at(0, 1_000_000n), at(100, 1_000_000n)] as const;
    assert.equal(is(ahead[1], [ahead[0]], 160, 8n), true, "a head that was a lie");
  });

  it("cancel what is not wanted any more in the place of what was signed for it", () => {
    const unwanted = { ...pending, isUnwanted: true };
    const unused = { ...unseen, counted: unwanted.nonce };
    assert.deepEqual(nextMove(unwanted, unused, depths), { kind: "sign", purpose: "cancel", replaces: true });
  });
});
