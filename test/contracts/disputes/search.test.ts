import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, type Hex, hexToBytes, keccak256, toHex, zeroHash } from "viem";
import { traceLeaf, witnessHash } from "../../../keepers/src/core/exact/commitment.ts";
import { openLeaf } from "../../../keepers/src/training/dispute/leaves.ts";
import {
  checkpointsOf,
  descent,
  type Move,
  noInterval,
  type Round,
  type StageName,
  searchedLeaves,
  stageOf,
} from "../../../keepers/src/training/dispute/moves.ts";
import { providerMove } from "../../../keepers/src/training/dispute/provider-player.ts";
import { Random } from "../../keepers/core/exact/cases-random.ts";
import { isProduction, matchSnapshot, tableOf } from "../snapshots.ts";
import { createArena, type PlayOptions, providerBond, terms } from "./game/arena.ts";
import { oddJob } from "./game/hand-made.ts";
import { mlpJob, otherMantissa } from "./game/scenes.ts";
import { nameRoot, searchFor } from "./game/shams.ts";
import { leafOf, Story } from "./game/story.ts";
import { runOf } from "./game/told-run.ts";
import { SparseTree } from "./sparse.ts";

const arena = await createArena();
const { game } = arena;
let jobs = 9_000n;

const job = mlpJob();
const honest = new Story(job);
/** The state after step 3 is another one: the interval that is wrong is the second of three. */
const liar = new Story(
  job,
  { step: 3, state: (state) => state.map((v, i) => (i === 1 ? v.map((m) => m ^ 4) : v)) },
  honest,
);
/** What a dispute over that state goes on with. */
const rest = ["nameStep", "postTensors", "nameState", "postNodes", "ruleSlot"];

async function search(claimed: Story): Promise<{ id: bigint; challenge: bigint }> {
  const id = ++jobs;
  await arena.open(claimed, id);
  const opened = await arena.openWith({ kind: "challengeTrace" }, id);
  return { id, challenge: opened.id };
}

/** Searches a trace, and plays on to the end. */
async function disputeOver(claimed: Story, options: PlayOptions = {}) {
  const { id, challenge } = await search(claimed);
  const played = await arena.playOut(challenge, honest, claimed, options);
  return { id, challenge, ...played, names: played.steps.map(({ name }) => name) };
}

async function convictionOf(id: bigint) {
  const [interval, , , count] = await arena.claims.read.convictions([id]);
  return count === 0 ? undefined : BigInt(interval);
}

/** Posts other roots than the run's. */
const posting =
  (roots: (own: readonly Hex[], round: Round) => readonly Hex[]) =>
  async (round: Round, stage: StageName): Promise<Move | undefined> => {
    if (stage !== "TraceRoots") return undefined;
    const move = (await providerMove(runOf(liar), round))!;
    return descent("postTrace", roots(move.args[0] as readonly Hex[], round));
  };

const rightRoots = (_: readonly Hex[], { position }: Round): Hex[] =>
  searchedLeaves(position)
    .slice(0, -1)
    .map((leaf) => honest.traceRootAt(leaf));

describe("a search in a trace whose leaves were not published", () => {
  it("finds the wrong interval in one challenge, whose last round opens it and its states", async () => {
    const { id, challenge, names } = await disputeOver(liar);
    assert.deepEqual(names, ["postTrace", "nameTrace", "openInterval", ...rest]);
    assert.equal(await convictionOf(id), 1n);
    const [, interval] = await game.read.challenges([challenge]);
    assert.equal(interval, 1);
  });

  it("goes on from what the chain shows through two levels, as the first and the last interval too", async () => {
    const long = mlpJob(16, 193, 1);
    const right = new Story(long);
    for (const step of [0, 100, 192]) {
      const flipped = (state: readonly Int32Array[]) =>
        state.map((v, i) => (i === 1 ? v.map((m) => m ^ 4) : v));
      const wrong = new Story(long, { step, state: flipped }, right);
      const { id, challenge } = await search(wrong);
      const played = await arena.playOut(challenge, right, wrong);
      const level = ["postTrace", "nameTrace"];
      assert.deepEqual(
        played.steps.map(({ name }) => name),
        [...level, ...level, "openInterval", ...rest],
      );
      assert.equal(await convictionOf(id), BigInt(step));
    }
  });

  it("of a single interval opens it at once", async () => {
    const odd = oddJob(8);
    const right = new Story(odd);
    const wrong = new Story(odd, { step: 0, place: 4, change: otherMantissa }, right);
    const { id, challenge } = await search(wrong);
    assert.equal(stageOf(await arena.roundOf(challenge)), "TraceLeaves");
    const round = await arena.roundOf(challenge);
    const hash = await arena.play(challenge, round, (await providerMove(runOf(wrong), round))!);
    assert.equal((await arena.measured("openInterval", hash)).name, "openInterval");
    const { stage, interval, position } = await arena.roundOf(challenge);
    assert.deepEqual(
      [stage, interval, position.stateBefore, position.stateAfter, position.steps],
      [2, 0n, wrong.roots[0], wrong.roots[2], 2n],
    );
    await arena.timeOut(challenge);
    assert.equal(await convictionOf(id), undefined);
  });

  it("attack 11: right roots over a wrong trace bind a provider that cannot open them", async () => {
    const { id, challenge, ending, last } = await disputeOver(liar, { pick: posting(rightRoots) });
    // All that was posted is right: what is left is the interval before the last leaf.
    assert.deepEqual([ending, last], ["stuck", "TraceLeaves"]);
    const round = await arena.roundOf(challenge);
    assert.deepEqual([round.position.from, round.position.to, round.interval], [2n, 3n, noInterval]);
    const leaves = await runOf(liar).leaves();
    for (const story of [liar, honest]) {
      const around = (await runOf(story).leaves()) as typeof leaves;
      const { args } = (await providerMove(runOf(liar), { ...round, position: openable(round) }))!;
      const forged = descent("openInterval", openLeaf(around, 2), openLeaf(leaves, 3), args[2]);
      await assert.rejects(arena.play(challenge, round, forged), /WrongTraceLeaf/);
    }
    await arena.timeOut(challenge);
    assert.equal(await convictionOf(id), noInterval);
  });

  it("attack 11: a root that is zero is held against the trace like any other", async () => {
    const { id, challenge, ending, last } = await disputeOver(liar, {
      pick: posting((own) => own.map(() => zeroHash)),
    });
    assert.deepEqual([ending, last], ["stuck", "TraceLeaves"]);
    const round = await arena.roundOf(challenge);
    assert.deepEqual([round.position.from, round.position.to], [0n, 1n]);
    // The first interval is right, and would win the dispute.
    const { args } = (await providerMove(runOf(liar), { ...round, position: openable(round) }))!;
    await assert.rejects(arena.play(challenge, round, descent("openInterval", ...args)), /WrongTraceLeaf/);
    await arena.timeOut(challenge);
    assert.equal(await convictionOf(id), noInterval);
  });

  it("attack 11: garbage, one root twice, another run's roots: whatever is posted, the provider is convicted", async () => {
    const random = new Random(5, "roots");
    const garbage = () => keccak256(toHex(`garbage ${random.int(0, 2 ** 30)}`));
    const lies: ((own: readonly Hex[], round: Round) => readonly Hex[])[] = [
      (own) => own.map(garbage),
      (own) => own.map((root, i) => (i === 1 ? garbage() : root)),
      (own) => own.map(() => own[0]!),
      (own) => own.map(() => own.at(-1)!),
      (own) => [...own].reverse(),
      (own, round) => [rightRoots(own, round)[0]!, ...own.slice(1)],
      (own, round) => [own[0]!, ...rightRoots(own, round).slice(1)],
    ];
    for (const [i, lie] of lies.entries()) {
      const { id, challenge, ending } = await disputeOver(liar, { pick: posting(lie) });
      if (ending === "stuck") await arena.timeOut(challenge);
      assert.notEqual(await convictionOf(id), undefined, `lie ${i}`);
    }
  });

  it("attacks 2 and 5: whatever is named, a provider whose trace is right opens it and wins", async () => {
    const random = new Random(7, "names");
    const many = new Story(mlpJob(16, 11, 1));
    const before = await game.read.creditOf([arena.accounts.provider.account.address]);
    const count = 6;
    for (let i = 0; i < count; i++) {
      const { id, challenge } = await search(many);
      const played = await arena.playOut(challenge, many, many, {
        pick: (round, stage) =>
          stage === "TraceName" ? searchFor(many, round, random.int(0, 10)) : undefined,
      });
      assert.deepEqual([played.ending, played.last], ["stuck", "Step"]);
      await arena.timeOut(challenge);
      assert.equal(await convictionOf(id), undefined);
    }
    const after = await game.read.creditOf([arena.accounts.provider.account.address]);
    assert.equal(after - before, (BigInt(count) * terms.challengerBond) / 2n);
  });

  it("refuses too many roots, too few, names of others, and moves that are not due", async () => {
    const { challenge } = await search(liar);
    const round = await arena.roundOf(challenge);
    const { args } = (await providerMove(runOf(liar), round))!;
    const roots = args[0] as readonly Hex[];
    assert.equal(roots.length, 2);
    for (const wrong of [[], roots.slice(1), [...roots, zeroHash]]) {
      await assert.rejects(arena.play(challenge, round, descent("postTrace", wrong)), /WrongStates/);
    }
    const position = openable(round);
    const opening = (await providerMove(runOf(liar), { ...round, stage: 16, position }))!;
    assert.equal(opening.name, "openInterval");
    await assert.rejects(arena.play(challenge, round, opening), /WrongStage/);
    await arena.play(challenge, round, descent("postTrace", roots));
    const asked = await arena.roundOf(challenge);
    for (const named of [
      nameRoot([...roots, zeroHash], 3),
      nameRoot([roots[0]!, zeroHash], 1),
      nameRoot([zeroHash, roots[1]!], 1),
      nameRoot([roots[0]!, zeroHash], 2),
      nameRoot([zeroHash, roots[1]!], 0),
    ]) {
      await assert.rejects(arena.play(challenge, asked, named), /WrongChild/);
    }
    await arena.play(challenge, asked, nameRoot(roots, 1));
    const found = await arena.roundOf(challenge);
    await assert.rejects(arena.play(challenge, found, descent("postTrace", roots)), /WrongStage/);
    assert.equal(stageOf(found), "TraceLeaves");
    // The interval that was named, its own leaves, and the witnesses behind h.
    const { args: opened } = (await providerMove(runOf(liar), found))!;
    const [before, next, posted] = opened as [object, object, { witnesses: readonly Hex[] }];
    await assert.rejects(
      arena.play(challenge, found, descent("openInterval", next, next, posted)),
      /WrongTraceLeaf/,
    );
    const reversed = { ...posted, witnesses: [...posted.witnesses].reverse() };
    await assert.rejects(
      arena.play(challenge, found, descent("openInterval", before, next, reversed)),
      /WrongWitnesses/,
    );
    await arena.play(challenge, found, descent("openInterval", before, next, posted));
  });
});

/** A trace of any length, in which the leaves around one interval exist. */
function longTrace(steps: number, interval: number, wrong: number) {
  const leaves = Math.ceil(steps / interval) + 1;
  const rootAt = (leaf: number): Hex => keccak256(toHex(`root ${leaf}`));
  const salt = keccak256(toHex("salt"));
  const witnesses = Array.from({ length: interval }, (_, i) => keccak256(toHex(`witness ${i}`)));
  const hash = bytesToHex(
    witnessHash(
      hexToBytes(salt),
      witnesses.map((witness) => hexToBytes(witness)),
    ),
  );
  const leafAt = (leaf: number): Hex => leafOf(toHex(traceLeaf(hexToBytes(rootAt(leaf)), hexToBytes(hash))));
  const known = new Map([wrong, wrong + 1].map((leaf) => [leaf, leafAt(leaf)]));
  const tree = new SparseTree(leaves, known, "trace");
  const open = (leaf: number) => ({
    stateRoot: rootAt(leaf),
    witnessHash: hash,
    siblings: tree.proof(leaf),
  });
  const { count } = checkpointsOf(interval);
  const roots = Array.from({ length: count }, (_, i) =>
    i === count - 1 ? rootAt(wrong + 1) : keccak256(toHex(`state ${i}`)),
  );
  return {
    root: tree.root,
    rootAt,
    opening: descent("openInterval", open(wrong), open(wrong + 1), { salt, witnesses, roots }),
  };
}

describe("a search of any length", () => {
  const gas: Record<string, number> = {};
  const most = 2 ** 32 - 1;
  for (const [name, { steps, interval, levels }] of Object.entries({
    "128 intervals": { steps: 128, interval: 1, levels: 1 },
    "192 intervals": { steps: 192, interval: 1, levels: 1 },
    "193 intervals": { steps: 193, interval: 1, levels: 2 },
    "9370 steps, 16 to a leaf": { steps: 9_370, interval: 16, levels: 2 },
    "16384 intervals": { steps: 16_384, interval: 1, levels: 2 },
    "16385 intervals": { steps: 16_385, interval: 1, levels: 3 },
    "1000000 steps, 16 to a leaf": { steps: 1_000_000, interval: 16, levels: 3 },
    "the most steps, the longest intervals": { steps: most, interval: 96, levels: 4 },
    "the most steps, the shortest intervals": { steps: most, interval: 1, levels: 5 },
  })) {
    it(`takes two moves for every level of 128 and none above 300,000 gas: ${name}`, async () => {
      const count = Math.ceil(steps / interval);
      const wrong = Math.floor(count * 0.4);
      const trace = longTrace(steps, interval, wrong);
      const id = ++jobs;
      const claim = {
        ...arena.claimOf(honest),
        traceRoot: trace.root,
        steps: BigInt(steps),
        interval: BigInt(interval),
      };
      await arena.claims.write.open([id, claim, terms], { value: providerBond });
      const { id: challenge, step } = await arena.openWith({ kind: "challengeTrace" }, id);
      const moves = [step];
      const play = async (round: Round, move: Move) => {
        const hash = await arena.play(challenge, round, move);
        moves.push(await arena.measured(move.name, hash));
      };
      for (;;) {
        const round = await arena.roundOf(challenge);
        if (stageOf(round) === "TraceLeaves") {
          await play(round, trace.opening);
          break;
        }
        const ends = searchedLeaves(round.position);
        const roots = ends.slice(0, -1).map(trace.rootAt);
        assert.ok(roots.length < 192 && (roots.length < 128 || count <= 192), `${roots.length} roots`);
        await play(round, descent("postTrace", roots));
        const number = ends.findIndex((end) => end > wrong);
        await play(await arena.roundOf(challenge), nameRoot(roots, number));
      }
      const names = Array.from({ length: levels }, () => ["postTrace", "nameTrace"]).flat();
      assert.deepEqual(
        moves.map((move) => move.name),
        ["challengeTrace", ...names, "openInterval"],
      );
      const { stage, interval: found, position } = await arena.roundOf(challenge);
      assert.deepEqual([stage, found, position.from, position.to], [2, BigInt(wrong), 0n, 0n]);
      for (const move of moves) {
        gas[`${name}, ${move.name}`] = Math.max(gas[`${name}, ${move.name}`] ?? 0, move.gas);
        assert.ok(move.gas <= 300_000, `${move.name}: ${move.gas}`);
      }
      gas[`${name}, total`] = moves.reduce((sum, move) => sum + move.gas, 0);
    });
  }

  it("costs what is on record", { skip: !isProduction && "only with --build-profile production" }, () => {
    matchSnapshot("disputeSearch.json", tableOf(gas));
  });
});

/** The position of a search as if any two leaves could be opened. */
function openable({ position }: Round): Round["position"] {
  const leaves = [Number(position.from), Number(position.from) + 1];
  const [stateBefore, stateAfter] = leaves.map((leaf) => liar.traceRootAt(leaf));
  return { ...position, stateBefore: stateBefore!, stateAfter: stateAfter! };
}
