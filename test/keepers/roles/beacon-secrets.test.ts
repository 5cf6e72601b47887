import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { decodeFunctionData, type Hex, zeroHash } from "viem";
import { abis } from "../../../keepers/src/chain/abi/index.ts";
import { addressOf } from "../../../keepers/src/chain/contracts.ts";
import type { OperatorSecrets } from "../../../keepers/src/chain/secrets.ts";
import {
  BeaconMember,
  type BeaconMemberParts,
  beaconCommitment,
  beaconSchema,
} from "../../../keepers/src/roles/storage-node/beacon-member.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";
import { deployment } from "./dataset.ts";
import { type Reads, word } from "./doubles.ts";
import { LiedTo } from "./lied-to.ts";

const phases = { commit: 1, reveal: 3, ready: 7 };
const sessionRow = {
  ...{ openedAt: 900n, commitEnds: 1_100n, revealEnds: 1_300n, graceEnds: 0n, readyAt: 0n },
  ...{ round: 0, committed: 0, revealed: 0, value: zeroHash },
};
const none = { hash: zeroHash as Hex, round: 0, revealed: false, bonded: false };

describe("a member of the commit-reveal beacon", () => {
  let scene: LiedTo;
  let state: State;
  let own: bigint[];

  beforeEach(() => {
    own = [];
    state = openState({ path: ":memory:", schemas: [beaconSchema] });
    scene = new LiedTo({
      CommitRevealBeacon: {
        sessionCount: () => 1n,
        session: () => sessionRow,
        phaseOf: () => phases.commit,
        commitmentOf: () => none,
        ...{ bond: () => 1n, outcomeOf: () => 1 },
      },
      StorageAudit: { currentEpoch: () => 0, epochOf: () => ({ requestId: 0n, openedAt: 0n, windows }) },
      DatasetRegistry: {
        ...{ genesis: () => 0n, epochLength: () => 2_000, closeDelay: () => 2_000n },
        parameters: () => ({
          ...{ bondPerBundle: 1n, bundleStake: 1n, missPenalty: 1n, surrenderPenalty: 1n },
          policy: scene.operator,
        }),
      },
      ValidatorSet: { exitDelay: () => 2_000 },
      Staking: {
        operatorOf: () => ({
          ...{ stake: 100n, locked: 0n, unbonding: 0n, roles: 1, registeredAt: 1n, active: true },
        }),
        lockable: () => 100n,
      },
    });
  });

  afterEach(() => {
    state.close();
  });

  const windows = { seedDelay: 0, auditWindow: 1, timeoutWindow: 1, grace: 1 };

  /** Secrets that differ as those derived from an account's key do. */
  const secrets = {
    derive: (_: string, __: Hex, session: bigint, round: bigint, commitEnds: bigint) =>
      word(Number(session * 1_000_000n + round * 100_000n + commitEnds)),
  } as unknown as OperatorSecrets;

  async function started(): Promise<BeaconMember> {
    const ledger = { sessionsOf: () => own, committers: () => [] };
    const context = await scene.context();
    return new BeaconMember({ ...context, ledger, state, secrets } as unknown as BeaconMemberParts);
  }

  /** One look of a member, of one that was just started if left out; gives the calls that it sent. */
  async function ticked(member?: BeaconMember) {
    scene.double.sent.length = 0;
    await (member ?? (await started())).tick();
    return scene.double.sent.map(({ data }) => {
      const { functionName, args } = decodeFunctionData({ abi: abis.CommitRevealBeacon, data });
      return { functionName, word: args?.[1] as Hex };
    });
  }

  const hashOf = (secret: Hex) =>
    beaconCommitment({
      ...{ chainId: deployment.chainId, beacon: addressOf(deployment, "CommitRevealBeacon") },
      ...{ session: 1n, round: 0, operator: scene.operator, secret },
    });

  const reveal = (hash: Hex, commitEnds: bigint): Reads => ({
    CommitRevealBeacon: {
      phaseOf: () => phases.reveal,
      session: () => ({ ...sessionRow, commitEnds }),
      commitmentOf: () => ({ hash, round: 0, revealed: false, bonded: true }),
    },
  });

  const errors = () => scene.log.lines.filter(({ level }) => level === 50).length;

  it("attack: reveals what it committed to although a reorganisation has moved the session to other seconds", async () => {
    const [first] = await ticked();
    scene.tell({ CommitRevealBeacon: { session: () => ({ ...sessionRow, commitEnds: 1_102n }) } });
    const [second] = await ticked();
    assert.equal(first?.functionName, "commit");
    assert.notEqual(first.word, second?.word);
    // The commitment of before is included, at a third second.
    own = [1n];
    for (const hash of [first.word, second!.word]) {
      scene.tell(reveal(hash, 1_104n));
      const [revealed] = await ticked();
      assert.equal(revealed?.functionName, "reveal");
      assert.equal(hashOf(revealed.word), hash);
    }
    assert.equal(errors(), 0);
  });

  it("attack: commits to the session that the others see although the one that is asked first names another second", async () => {
    scene.lie({ CommitRevealBeacon: { session: () => ({ ...sessionRow, commitEnds: 1_500n }) } });
    const [committed] = await ticked();
    assert.equal(committed?.word, hashOf(word(1_000_000 + 1_100)));
  });

  it("attack: commits to nothing while one of only two names another second or round", async () => {
    for (const says of [{ commitEnds: 1_500n }, { round: 3 }]) {
      scene.lie({ CommitRevealBeacon: { session: () => ({ ...sessionRow, ...says }) } });
      scene.leaveTwo();
      assert.deepEqual(await ticked(), []);
    }
  });

  it("attack: reveals although that said that the session was over, before its events told of the commitment", async () => {
    const member = await started();
    const [committed] = await ticked(member);
    const over = { phaseOf: () => phases.ready, session: () => ({ ...sessionRow, readyAt: 1n }) };
    scene.lie({ CommitRevealBeacon: over });
    await ticked(member);
    scene.liar.latest = undefined;
    own = [1n];
    scene.tell(reveal(committed!.word, 1_100n));
    assert.equal((await ticked(member))[0]?.functionName, "reveal");
  });

  it("reveals with a secret of an earlier version, of which there was one for each session and round", async () => {
    const folder = await mkdtemp(join(tmpdir(), "assay-secrets-"));
    const path = join(folder, "state.sqlite");
    try {
      const schema = { ...beaconSchema, migrations: beaconSchema.migrations.slice(0, 1) };
      const old = openState({ path, schemas: [schema] });
      old.run("INSERT INTO beacon_secrets (session, round, secret) VALUES ('1', 0, ?)", word(77));
      old.close();
      state.close();
      state = openState({ path, schemas: [beaconSchema] });
      own = [1n];
      scene.tell(reveal(hashOf(word(77)), 1_100n));
      assert.equal((await ticked())[0]?.word, word(77));
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("says that nothing opens a commitment", async () => {
    own = [1n];
    scene.tell(reveal(word(99), 1_100n));
    assert.deepEqual(await ticked(), []);
    assert.equal(errors(), 1);
  });
});
