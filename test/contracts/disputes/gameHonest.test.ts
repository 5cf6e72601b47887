import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concatHex, type Hex, parseEventLogs, size } from "viem";
import { spaces } from "../../../keepers/src/core/exact/tape/types.ts";
import { challengerMove } from "../../../keepers/src/training/dispute/challenger-player.ts";
import { withLeaf } from "../../../keepers/src/training/dispute/evidence.ts";
import { openLeaf } from "../../../keepers/src/training/dispute/leaves.ts";
import {
  descent,
  encodeMove,
  type Move,
  type Round,
  type StageName,
} from "../../../keepers/src/training/dispute/moves.ts";
import { levelsDown } from "../../../keepers/src/training/dispute/nodes.ts";
import { rawPlace } from "../../../keepers/src/training/dispute/objects.ts";
import { readAnswer } from "../../../keepers/src/training/dispute/posted.ts";
import { providerMove } from "../../../keepers/src/training/dispute/provider-player.ts";
import { storeNode } from "../../../keepers/src/training/trace/trace-step.ts";
import { Random } from "../../keepers/core/exact/cases-random.ts";
import { createArena, providerBond, terms } from "./game/arena.ts";
import { mlpJob, otherMantissa } from "./game/scenes.ts";
import { nameStep, towards } from "./game/shams.ts";
import { leafOf, Story } from "./game/story.ts";
import { openedNode, runOf, slotsOf } from "./game/told-run.ts";
import { Tree } from "./game/tree.ts";

const job = mlpJob();
const honest = new Story(job);
const lie = { step: 2, place: 5, change: otherMantissa };
const liar = new Story(job, lie, honest);
let jobs = 100n;

/** The lie is in the first step of its interval, whatever it does to the state. */
const firstStep = (round: Round, stage: StageName): Move | undefined =>
  stage === "Step" ? nameStep(liar, round, 0) : undefined;

/** The two leaves around an interval. */
async function leavesAround(story: Story, interval: number) {
  const leaves = await runOf(story).leaves();
  return [openLeaf(leaves, interval), openLeaf(leaves, interval + 1)] as const;
}

/** What a challenger without a case may still say: any name, any ruling. */
function anything(random: Random, story: Story) {
  return async (round: Round, stage: StageName): Promise<Move | undefined> => {
    const { position: p } = round;
    const step = Number(p.firstStep);
    if (stage === "Step") return nameStep(story, round, random.int(0, Number(p.steps) - 1));
    if (stage === "Node") {
      if (random.int(0, 9) === 0) return descent("nameState");
      return towards(story, round, random.int(0, job.places.length - 1));
    }
    if (stage === "Leaf") {
      const number = Number(p.place);
      const here = await openedNode(story, step, number);
      const isSum = here.products > 0;
      const choice = random.int(0, 3);
      const requantized = here.tensor.layout.dtype === "I16";
      const copies = ["INPUT", "RELAYOUT", "SOFTMAX_GRAD", "RELU", "GATE"];
      if (choice === 0 && requantized && !copies.includes(here.node.opcode)) {
        return { book: "descent", name: "claimTooLarge", args: [here.descriptor] };
      }
      if (choice === 1 && isSum) return { book: "range", name: "askSums", args: [here.descriptor, 0n] };
      const tree = story.dataTree(step, number);
      const down = levelsDown(Number(p.level), Number(p.leaves));
      const child = random.int(0, tree.below(Number(p.level), Number(p.index)).length - 1);
      const at = (Number(p.index) << down) + child;
      const level = Number(p.level) - down;
      return {
        book: "descent",
        name: "nameChild",
        args: [BigInt(child), tree.node(level, at), tree.proof(at, level, Number(p.level))],
      };
    }
    return undefined;
  };
}

describe("a provider whose every interval is right", async () => {
  const arena = await createArena();
  const { game } = arena;

  it("wins against whatever a challenger names, and is paid for it", async () => {
    const random = new Random(11, "challengers");
    const reached = new Set<string>();
    for (let run = 0; run < 60; run++) {
      const id = ++jobs;
      await arena.open(honest, id);
      const before = await game.read.creditOf([arena.accounts.provider.account.address]);
      const opened = await arena.challenge(honest, random.int(0, 1), id);
      const played = await arena.playOut(opened.id, honest, honest, { pick: anything(random, honest) });
      reached.add(played.last);
      if (played.ending === "stuck") {
        // Nothing that the challenger could still show holds.
        const round = await arena.roundOf(opened.id);
        if (played.last === "Element") {
          const { place, firstStep, index } = round.position;
          const here = await openedNode(honest, Number(firstStep), Number(place));
          const tree = here.step.tree(here.number);
          const { first } = tree.geometry.leafElements(Number(index));
          const evidence = withLeaf(here.whole(first)!, tree.leaf(Number(index)));
          const book = here.products > 0 ? "sum" : "element";
          const ruling: Move =
            here.node.opcode === "INPUT"
              ? {
                  book: "input",
                  name: "ruleInput",
                  args: [
                    evidence,
                    await runOf(honest).object({
                      step: here.step.step,
                      microBatch: job.places[here.number]!.microBatch,
                      ...rawPlace(here.node, first),
                    }),
                  ],
                }
              : { book, name: "ruleElement", args: [evidence] };
          await assert.rejects(arena.play(opened.id, round, ruling), /NothingShown/);
        }
        await arena.timeOut(opened.id);
      } else {
        assert.equal(played.ending, "lost");
      }
      const after = await game.read.creditOf([arena.accounts.provider.account.address]);
      assert.equal(after - before, terms.challengerBond / 2n);
      assert.equal(await game.read.openChallenges([id]), 0n);
      const [, , , , , unitsDue] = await game.read.jobs([id]);
      assert.equal(unitsDue, 0n, "nothing is due to whoever loses");
      await arena.claims.write.release([id]);
    }
    assert.deepEqual([...reached].sort(), ["Element", "Link", "StateName", "Sum", "Witness"]);
    const burnt = await game.read.creditOf([await game.read.BURN_SINK()]);
    const provider = await game.read.creditOf([arena.accounts.provider.account.address]);
    assert.equal(await arena.publicClient.getBalance({ address: game.address }), burnt + provider);
  });

  it("is not challenged with leaves of another trace, job or place", async () => {
    const id = ++jobs;
    await arena.open(honest, id);
    const account = arena.accounts.challenger.account;
    const value = terms.challengerBond;
    const [before, next] = await leavesAround(liar, 1);
    await assert.rejects(game.write.challenge([id, 1n, before, next], { account, value }), /WrongTraceLeaf/);
    const [first, second] = await leavesAround(honest, 0);
    await assert.rejects(game.write.challenge([id, 1n, first, second], { account, value }), /WrongTraceLeaf/);
    await assert.rejects(game.write.challenge([id, 9n, first, second], { account, value }), /WrongTraceLeaf/);
    await assert.rejects(
      game.write.challenge([id + 1n, 0n, first, second], { account, value }),
      /WrongStatus/,
    );
  });
});

describe("the clock of a dispute", async () => {
  const arena = await createArena();
  const { game, networkHelpers } = arena;
  const stagesSeen = new Set<string>();

  it("convicts a provider that is silent at any stage, and frees it of a challenger that is", async () => {
    const length = 9;
    for (let silentAfter = 0; silentAfter < length; silentAfter++) {
      const id = ++jobs;
      await arena.open(liar, id);
      const opened = await arena.challenge(liar, 1, id);
      let moves = 0;
      const played = await arena
        .playOut(opened.id, honest, liar, {
          pick(_, stage) {
            if (moves++ < silentAfter) return undefined;
            stagesSeen.add(stage);
            throw new Error(`silent at ${stage}`);
          },
        })
        .catch(() => undefined);
      if (played !== undefined) break;
      const { stage } = await arena.roundOf(opened.id);
      await arena.timeOut(opened.id);
      const [, , , count] = await arena.claims.read.convictions([id]);
      assert.equal(count, silentAfter % 2 === 0 ? 1 : 0, `stage ${stage}`);
      await assert.rejects(game.write.callTimeout([opened.id]), /NotOpen/);
      await assert.rejects(game.write.executeTimeout([opened.id]), /NotOpen/);
    }
    assert.ok(stagesSeen.size >= 8, [...stagesSeen].join());
  });

  it("lets a late party move until the grace after a called timeout is over", async () => {
    for (const late of [false, true]) {
      const id = ++jobs;
      await arena.open(liar, id);
      const opened = await arena.challenge(liar, 1, id);
      const deadline = await game.read.deadlineOf([opened.id]);
      await networkHelpers.time.setNextBlockTimestamp(deadline);
      await assert.rejects(game.write.callTimeout([opened.id]), /TooEarly/);
      await networkHelpers.time.setNextBlockTimestamp(deadline + 1n);
      await game.write.callTimeout([opened.id]);
      await assert.rejects(game.write.callTimeout([opened.id]), /TimeoutAlreadyCalled/);
      const ends = deadline + 1n + BigInt(terms.grace);
      const round = await arena.roundOf(opened.id);
      await networkHelpers.time.setNextBlockTimestamp(ends + (late ? 1n : 0n));
      const move = arena.play(opened.id, round, (await providerMove(runOf(liar), round))!);
      if (late) {
        await assert.rejects(move, /TooLate/);
        await game.write.executeTimeout([opened.id]);
        const [, , , count] = await arena.claims.read.convictions([id]);
        assert.equal(count, 1);
      } else {
        await move;
        await assert.rejects(game.write.executeTimeout([opened.id]), /TooEarly/);
      }
    }
  });

  it("counts the other challenges that are open as a turn begins, up to seven days, and stands from then on", async () => {
    const id = ++jobs;
    const long = { ...terms, extension: 200_000 };
    await arena.open(liar, id, long);
    const [first, ...more] = arena.accounts.others;
    const opened = await arena.challenge(liar, 0, id, first!.account);
    const deadline = await game.read.deadlineOf([opened.id]);
    const lengths: bigint[] = [];
    for (const wallet of more.slice(0, 4)) {
      const other = await arena.challenge(liar, 0, id, wallet.account);
      const since = BigInt(await arena.networkHelpers.time.latest());
      lengths.push((await game.read.deadlineOf([other.id])) - since);
    }
    assert.deepEqual(lengths, [214_400n, 414_400n, 604_800n, 604_800n]);
    // Whoever answers in the order of the deadlines has its time for each, also where the first was alone at first.
    assert.equal(await game.read.deadlineOf([opened.id]), deadline);
  });
});

describe("bonds of a dispute", async () => {
  const arena = await createArena();
  const { game, claims } = arena;
  const account = arena.accounts.challenger.account;
  const [sybil, third] = arena.accounts.others;

  async function expectSolvent(open: bigint): Promise<void> {
    const { BURN_SINK: sink, creditOf } = game.read;
    const owners = [arena.accounts.provider, arena.accounts.challenger, ...arena.accounts.others];
    let credits = await creditOf([await sink()]);
    for (const owner of owners) credits += await creditOf([owner.account.address]);
    assert.equal(await arena.publicClient.getBalance({ address: game.address }), credits + open);
  }

  it("are exactly what the terms say", async () => {
    const id = ++jobs;
    await arena.open(liar, id);
    const [before, next] = await leavesAround(liar, 1);
    for (const value of [0n, terms.challengerBond - 1n, terms.challengerBond + 1n]) {
      await assert.rejects(game.write.challenge([id, 1n, before, next], { account, value }), /WrongBond/);
    }
    const claim = arena.claimOf(liar);
    await assert.rejects(
      claims.write.open([id + 50n, claim, { ...terms, challengerBond: 1n }], { value: providerBond }),
      /WrongTerms/,
    );
    await assert.rejects(claims.write.open([id + 50n, claim, terms], { value: 1n }), /WrongTerms/);
    await assert.rejects(claims.write.open([id, claim, terms], { value: providerBond }), /WrongStatus/);
    await assert.rejects(
      game.write.openJob([id + 50n, account.address, terms], { account, value: providerBond }),
      /NotClaims/,
    );
    await assert.rejects(game.write.releaseJob([id], { account }), /NotClaims/);
    await claims.write.release([id]);
    await expectSolvent(0n);
  });

  it("return to every challenger when one convicts, and the reward goes to the earliest of the interval", async () => {
    const id = ++jobs;
    await arena.open(liar, id);
    const sham = await arena.challenge(liar, 0, id, sybil!.account);
    const early = await arena.challenge(liar, 1, id, third!.account);
    const opened = await arena.challenge(liar, 1, id);
    await assert.rejects(claims.write.release([id]), /StillOpen/);
    await assert.rejects(game.write.settle([sham.id]), /WrongStatus/);
    const credits = async () =>
      Promise.all(
        [sybil!, third!, arena.accounts.challenger].map(({ account: { address } }) =>
          game.read.creditOf([address]),
        ),
      );
    const before = await credits();
    const played = await arena.playOut(opened.id, honest, liar, { pick: firstStep });
    assert.equal(played.ending, "convicted");
    const [interval, , found] = (await game.read.jobs([id])).slice(8);
    assert.deepEqual([interval, found], [1, opened.id], "what it was convicted of, and by whom");
    await assert.rejects(game.write.settle([opened.id]), /NotOpen/);
    await assert.rejects(game.write.payReward([id]), /NoReward/);
    await game.write.settle([sham.id]);
    await game.write.settle([early.id]);
    await assert.rejects(game.write.settle([early.id]), /NotOpen/);
    await arena.networkHelpers.time.increase(terms.window + 1);
    await game.write.payReward([id]);
    await assert.rejects(game.write.payReward([id]), /NoReward/);
    const gains = (await credits()).map((credit, i) => credit - before[i]!);
    const price = terms.refundPrice;
    const opening = terms.challengerBond + 300_000n * price;
    const winner = terms.challengerBond + (300_000n + 600_000n + 3n * 150_000n) * price;
    const due = 2n * 300_000n * price + (winner - terms.challengerBond);
    assert.deepEqual(gains, [opening, opening + providerBond / 2n - due, winner]);
    await expectSolvent(0n);
  });

  it("make it a loss for a provider to convict itself", async () => {
    const id = ++jobs;
    const address = arena.accounts.provider.account.address;
    const before = await game.read.creditOf([address]);
    await arena.open(liar, id);
    const opened = await arena.challenge(liar, 1, id, arena.accounts.provider.account);
    await arena.timeOut(opened.id);
    await arena.networkHelpers.time.increase(terms.window + 1);
    await game.write.payReward([id]);
    const gain = (await game.read.creditOf([address])) - before;
    assert.ok(gain <= terms.challengerBond + providerBond / 2n, `${gain}`);
    await expectSolvent(0n);
  });

  it("are not those of an open job when the registry's terms change", async () => {
    const id = ++jobs;
    await arena.open(liar, id);
    const opened = await arena.challenge(liar, 1, id);
    await claims.write.setClaim([id, { ...arena.claimOf(honest), steps: 1n, nodeCounts: [1n, 1n, 1n] }]);
    const played = await arena.playOut(opened.id, honest, liar, { pick: firstStep });
    assert.equal(played.ending, "convicted");
    await arena.networkHelpers.time.increase(terms.window + 1);
    await game.write.payReward([id]);
    await expectSolvent(0n);
  });

  it("are paid out once, to whoever earned them", async () => {
    const { address } = arena.accounts.challenger.account;
    const credit = await game.read.creditOf([address]);
    assert.ok(credit > 0n);
    await assert.rejects(game.write.withdraw([game.address], { account }), /InvalidRecipient/);
    const to = "0x00000000000000000000000000000000000000aa";
    await game.write.withdraw([to], { account });
    assert.equal(await arena.publicClient.getBalance({ address: to }), credit);
    await assert.rejects(game.write.withdraw([to], { account }), /NoCredit/);
    await game.write.flushBurnt();
    await expectSolvent(0n);
  });
});

describe("moves", async () => {
  const arena = await createArena();
  const { game } = arena;

  it("are refused from another account, round, challenge or stage", async () => {
    const [id, other] = [++jobs, ++jobs];
    await arena.open(liar, id);
    await arena.open(liar, other);
    const opened = await arena.challenge(liar, 1, id);
    const elsewhere = await arena.challenge(liar, 0, other);
    const round = await arena.roundOf(opened.id);
    const move = (await providerMove(runOf(liar), round))!;
    await assert.rejects(
      arena.play(opened.id, round, move, arena.accounts.challenger.account),
      /NotYourTurn/,
    );
    await assert.rejects(arena.play(elsewhere.id, round, move), /WrongRound/);
    await assert.rejects(arena.play(opened.id, { ...round, interval: 0n }, move), /WrongRound/);
    const early: Move = { book: "descent", name: "postHashes", args: [0n, []] };
    await assert.rejects(arena.play(opened.id, round, early), /WrongStage/);
    await assert.rejects(
      game.write.play([opened.id, 0, "0x01020304"], { account: arena.accounts.provider.account }),
      /WrongRound/,
    );
    await arena.play(opened.id, round, move);
    await assert.rejects(arena.play(opened.id, round, move, arena.accounts.challenger.account), /WrongRound/);
  });

  it("attack: are no longer than the other side can read, whatever is put behind them", async () => {
    const id = ++jobs;
    await arena.open(liar, id);
    const opened = await arena.challenge(liar, 1, id);
    const round = await arena.roundOf(opened.id);
    const move = (await providerMove(runOf(liar), round))!;
    const longest = 2 ** 17;
    const padded = (length: number) => (of: typeof round, made: typeof move) => {
      const bytes = encodeMove(of, made);
      return concatHex([bytes, `0x${"00".repeat(length - size(bytes))}`]);
    };
    await assert.rejects(arena.play(opened.id, round, move, undefined, padded(longest + 1)), /MoveTooLong/);
    const hash = await arena.play(opened.id, round, move, undefined, padded(longest));
    const { logs } = await arena.publicClient.getTransactionReceipt({ hash });
    const [posted] = parseEventLogs({ abi: game.abi, logs, eventName: "Posted" });
    const { selector, arguments: rest } = posted!.args as { selector: Hex; arguments: Hex };
    assert.ok(readAnswer({ round, selector, arguments: rest }) !== undefined, "the keeper reads it");
  });

  it("hold a slot of the state against its own STORE, as it stands in the list, and against nothing else", async () => {
    const id = ++jobs;
    const late = new Story(
      job,
      { step: 2, state: (state) => state.map((v, i) => (i === 1 ? v.map((m) => m ^ 4) : v)) },
      honest,
    );
    await arena.open(late, id);
    const opened = await arena.challenge(late, 1, id);
    const played = await arena
      .playOut(opened.id, honest, late, {
        pick: (_, stage) => {
          if (stage === "StateName") throw new Error("stop");
          return undefined;
        },
      })
      .catch(() => undefined);
    assert.equal(played, undefined);
    const { round, answers } = await arena.disputeOf(opened.id);
    const move = (await challengerMove(runOf(honest), answers, round))!;
    assert.equal(move.name, "ruleSlot");
    const named = move.args[0] as { number: bigint; siblings: Hex[]; commitment: Hex; listSiblings: Hex[] };
    const changed = (changes: object) =>
      arena.play(opened.id, round, descent("ruleSlot", { ...named, ...changes }));
    const stores = job.program.state.map((_, slot) => storeNode(job.program.tapes[2], spaces.state, slot));
    const slots = new Tree(slotsOf(late, 3).map(leafOf));
    const other = stores[0]!;
    const place = job.placeOf(2, other);
    const list = honest.list(2);
    const listed = { commitment: list.commitments[place], listSiblings: list.tree.proof(place) };
    const store = { store: job.descriptor(2, other), storeSiblings: job.descriptorProof(2, other) };
    const [input] = job.program.tapes[2][other]!.inputs;
    const noStore = { store: job.descriptor(2, input!), storeSiblings: job.descriptorProof(2, input!) };
    assert.equal(named.number, 1n);
    await assert.rejects(changed({ ...store, ...listed }), /NothingShown/);
    await assert.rejects(changed(noStore), /NothingShown/);
    await assert.rejects(changed(listed), /NothingShown/);
    await assert.rejects(changed({ number: 0n }), /WrongChild/);
    await assert.rejects(changed({ number: BigInt(slots.leaves.length) }), /WrongChild/);
    // A slot that holds what was stored shows nothing.
    const right = { number: 0n, leaf: slots.node(0, 0), siblings: slots.proof(0), ...store, ...listed };
    await assert.rejects(changed(right), /NothingShown/);
    assert.equal(await arena.endingOf(await arena.play(opened.id, round, move)), "convicted");
  });

  it("end a job whose program is void, and nobody loses", async () => {
    const id = ++jobs;
    const descriptor = "0x1234";
    const claim = {
      ...arena.claimOf(honest),
      programRoot: leafOf(descriptor),
      nodeCounts: [1n, 0n, 0n] as const,
    };
    await arena.claims.write.open([id, claim, terms], { value: providerBond });
    const opened = await arena.challenge(honest, 0, id);
    await game.write.showVoid([id, 0n, 0n, descriptor, []]);
    assert.equal(await arena.claims.read.voids([id]), 1n);
    await game.write.settle([opened.id]);
    const { provider, challenger } = arena.accounts;
    assert.ok((await game.read.creditOf([provider.account.address])) >= providerBond);
    assert.ok((await game.read.creditOf([challenger.account.address])) >= terms.challengerBond);
    await assert.rejects(game.write.showVoid([id, 0n, 0n, descriptor, []]), /WrongStatus/);
    await assert.rejects(arena.challenge(honest, 0, id), /WrongStatus/);
  });

  it("leave a program alone that is not void", async () => {
    const id = ++jobs;
    await arena.open(honest, id);
    const args = [id, 0n, 5n, job.descriptor(0, 5), job.descriptorProof(0, 5)] as const;
    await assert.rejects(game.write.showVoid(args), /NothingVoid/);
    const other = [id, 0n, 6n, job.descriptor(0, 5), job.descriptorProof(0, 5)] as const;
    await assert.rejects(game.write.showVoid(other), /WrongDescriptor|reverted/);
  });

  it("refuse a witness that h does not bind", async () => {
    const id = ++jobs;
    await arena.open(liar, id);
    const opened = await arena.challenge(liar, 1, id);
    const round = await arena.roundOf(opened.id);
    const { args } = (await providerMove(runOf(liar), round))!;
    const posted = args[0] as { witnesses: string[] };
    const forged: Move = {
      book: "descent",
      name: "postStates",
      args: [{ ...posted, witnesses: [...posted.witnesses].reverse() }],
    };
    await assert.rejects(arena.play(opened.id, round, forged), /WrongWitnesses/);
  });
});
