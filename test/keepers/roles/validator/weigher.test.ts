import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pino } from "pino";
import { type LocalAccount, zeroHash } from "viem";
import { roles } from "../../../../ignition/modules/roles.ts";
import { addressOf } from "../../../../keepers/src/chain/contracts.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import { openValidator } from "../../../../keepers/src/roles/validator/validator.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { committee } from "../jobs/network.ts";
import { limits, Scene } from "../jobs/scene.ts";
import { LocalMembers } from "./local-exchange.ts";

const { unit, period, exitDelay } = committee;

describe("a validator's weight", () => {
  let scene: Scene;
  let account: LocalAccount;
  let folder: string;
  let open: JobKeeper | undefined;

  before(async () => {
    scene = await Scene.start();
    folder = await mkdtemp(join(tmpdir(), "assay-weigher-"));
    account = scene.account();
    await scene.network.give(account.address, 10n * unit);
  });

  after(async () => {
    await open?.stop();
    await scene?.close();
    await rm(folder, { recursive: true, force: true });
  });

  type Options = { weight: number; topUp?: bigint; lowers?: boolean };
  const openFor = (of: LocalAccount, dataDirectory: string, options: Options) => {
    const { network, storage } = scene;
    return openValidator({
      dataDirectory,
      account: of,
      chain: network.client,
      deployment: network.deployment,
      log: pino({ level: "silent" }),
      interval: 20,
      storage: storage.of(of),
      executor: nativeExecutor,
      limits,
      exchange: new LocalMembers().exchangeOf(of.address),
      ...options,
    });
  };
  const start = async (options: Options) => {
    await open?.stop();
    open = await openFor(account, folder, options);
    return open;
  };
  const validator = () => scene.network.contracts.ValidatorSet.read.validatorOf([1n]);
  const locked = () =>
    scene.network.contracts.Staking.read.lockedBy([
      account.address,
      addressOf(scene.network.deployment, "ValidatorSet"),
    ]);
  const punish = async (amount: bigint) => {
    const { admin, deployment, write } = scene.network;
    const args = [1n, amount, admin.address, zeroHash];
    await write("ValidatorSet", addressOf(deployment, "ValidatorSet"), "punish", args);
  };

  it("is raised again after a slash, with new tokens up to the bound and no further", async () => {
    const { access, admin, write } = scene.network;
    await write("AccessManager", access, "grantRole", [roles.committeeModule, admin.address, 0]);
    const keeper = await start({ weight: 3, topUp: unit });
    await keeper.tick();
    assert.equal((await validator()).weight, 3);
    await punish(unit);
    assert.equal((await validator()).weight, 2);
    await keeper.tick();
    assert.equal((await validator()).weight, 3, "topped up");
    assert.equal(await locked(), 3n * unit);
    await punish(unit / 2n);
    assert.equal((await validator()).weight, 2);
    await keeper.tick();
    assert.equal((await validator()).weight, 2, "the bound is used up");
    assert.equal(await locked(), (5n * unit) / 2n);
  });

  it("is lowered when that is asked for, and what it frees is unlocked in time; leaving stays left", async () => {
    const { network } = scene;
    const before = (await validator()).weight;
    let keeper = await start({ weight: 1, topUp: unit });
    await keeper.tick();
    assert.equal((await validator()).weight, before, "not by default");
    keeper = await start({ weight: 1, lowers: true });
    await keeper.tick();
    assert.equal((await validator()).weight, 1);
    assert.ok((await locked()) > unit);
    await network.chain.advance(period + exitDelay + 1);
    await keeper.tick();
    assert.equal(await locked(), unit);
    assert.equal((await validator()).exitAt, 0);
  });

  it("attack: slashed to nothing, it is raised again while it can be; else others release its place", async () => {
    const { network } = scene;
    const keeper = await start({ weight: 1 });
    await keeper.tick();
    await punish(unit);
    assert.equal((await validator()).weight, 0);
    assert.notEqual((await validator()).exitAt, 0, "its exit has begun");
    // From stake that was free.
    await keeper.tick();
    assert.equal((await validator()).weight, 1);
    await network.chain.advance(period + exitDelay + 1);
    await keeper.tick();
    assert.equal((await validator()).exitAt, 0, "nothing of it leaves");
    await keeper.stop();
    open = undefined;
    await punish(unit);
    const other = scene.account();
    await network.give(other.address, unit);
    const beside = await openFor(other, join(folder, "beside"), { weight: 1 });
    await beside.tick();
    const { ValidatorSet } = network.contracts;
    assert.equal(await ValidatorSet.read.idOf([account.address]), 1n, "it has its time");
    await network.chain.advance(period + exitDelay + 60);
    await beside.tick();
    assert.equal(await ValidatorSet.read.idOf([account.address]), 0n, "its place is free");
    await beside.stop();
  });
});
