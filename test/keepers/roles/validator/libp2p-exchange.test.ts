import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Address, bytesToHex, type Hex, keccak256, toHex } from "viem";
import { UnsoundStatementError } from "../../../../keepers/src/core/attestation/statement.ts";
import {
  type MemberDesk,
  NotReadyError,
  type StatementRequest,
} from "../../../../keepers/src/roles/validator/exchange.ts";
import {
  committeeProtocol,
  Libp2pExchange,
  type Libp2pExchangeParameters,
} from "../../../../keepers/src/roles/validator/libp2p-exchange.ts";
import { RefusalError, WrongPeerError } from "../../../../keepers/src/storage/transport/errors.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { RpcClient } from "../../../../keepers/src/storage/transport/rpc-client.ts";

const server: Address = "0x00000000000000000000000000000000000000a1";
const impostor: Address = "0x00000000000000000000000000000000000000a2";
const digests = [keccak256("0x01"), keccak256("0x02")];
const signature = [2n ** 253n + 1n, 3n] as const;
const draw = { jobId: 2n ** 60n, attempt: 2n };

describe("the exchange between members over libp2p", () => {
  const hosts: Host[] = [];
  const identities = new Map<Address, readonly [Hex, string]>();
  const contracts = {
    Staking: { read: { identityOf: async ([operator]: [Address]) => identities.get(operator)! } },
  } as unknown as Libp2pExchangeParameters["contracts"];
  const asked: { statement: StatementRequest; asker: Hex }[] = [];
  /** Who has asked for digests. */
  const told: Hex[] = [];
  const registered = new Set<string>();
  const onDuty = new Set<string>();
  let caller: Libp2pExchange;
  let exchange: Libp2pExchange;

  const node = async (limits: Libp2pExchangeParameters["limits"] = {}) => {
    const host = await createHost({ localNetwork: true, listen: ["/ip4/127.0.0.1/tcp/0"] });
    hosts.push(host);
    const endpoint = host.getMultiaddrs()[0]!.toString();
    const isRegistered = (peer: string) => registered.has(peer);
    const isOnDuty = (peer: string) => onDuty.has(peer);
    const parts = { host, endpoint, contracts, isRegistered, isOnDuty, limits };
    return { host, endpoint, exchange: new Libp2pExchange(parts) };
  };

  const desk: MemberDesk = {
    async digests({ jobId }, asker) {
      told.push(asker);
      if (jobId !== draw.jobId) throw new NotReadyError("not this one");
      return digests;
    },
    async sign(statement, asker) {
      asked.push({ statement, asker });
      if (statement.members.length > 1) throw new UnsoundStatementError("not what was computed");
      return signature;
    },
  };

  before(async () => {
    const serving = await node();
    exchange = serving.exchange;
    await exchange.serve(desk);
    identities.set(server, [bytesToHex(exchange.identity.peerId), serving.endpoint]);
    caller = (await node()).exchange;
    const third = await node();
    const address = serving.endpoint.replace(/\/p2p\/.*$/, "");
    identities.set(impostor, [bytesToHex(third.exchange.identity.peerId), address]);
  });

  after(async () => {
    await exchange?.close();
    for (const host of hosts) await host.stop();
  });

  it("carries digests and signatures whole, and tells who asks", async () => {
    assert.deepEqual(await caller.digests(server, draw), digests);
    assert.equal(told.at(-1), bytesToHex(caller.identity.peerId));
    const members = [{ position: 63, digests }];
    assert.deepEqual(await caller.sign(server, { ...draw, members }), [...signature]);
    assert.deepEqual(asked.at(-1), {
      statement: { ...draw, members },
      asker: bytesToHex(caller.identity.peerId),
    });
  });

  it("carries the largest committee's statement", async () => {
    const members = Array.from({ length: 64 }, (_, position) => ({
      position,
      digests: Array.from({ length: 8 }, (_, i) => keccak256(toHex(`${position}/${i}`))),
    }));
    await assert.rejects(caller.sign(server, { ...draw, members }), RefusalError);
    assert.deepEqual(asked.at(-1)!.statement.members, members);
  });

  it("says no in words", async () => {
    await assert.rejects(caller.digests(server, { ...draw, jobId: 1n }), /not this one/);
    await assert.rejects(
      caller.sign(server, { ...draw, members: [0, 1].map((position) => ({ position, digests })) }),
      /not what was computed/,
    );
  });

  it("attack: does not ask another peer than the operator registered", async () => {
    await assert.rejects(caller.digests(impostor, draw), WrongPeerError);
  });

  it("attack: a stranger that asks without end is put off before the desk is asked", async () => {
    const before = asked.length;
    const [, endpoint] = identities.get(server)!;
    const host = await createHost({ localNetwork: true });
    hosts.push(host);
    const client = await RpcClient.connect(host, committeeProtocol, endpoint);
    const request = { jobId: "1", attempt: "1", members: [{ position: 0, digests }] };
    const answers = [];
    for (let i = 0; i < 100; i++) answers.push(await client.call("sign", request).then(() => "ok", String));
    assert.ok(
      answers.some((answer) => answer.includes("too much")),
      answers.at(-1),
    );
    assert.ok(asked.length - before < answers.length);
    await client.close();
  });

  it("attack: strangers under many names take no more of the thread together, and a validator is still answered", async () => {
    const [, endpoint] = identities.get(server)!;
    const members = Array.from({ length: 64 }, (_, position) => ({
      position,
      digests: Array.from({ length: 8 }, () => digests[0]!),
    }));
    const before = asked.length;
    const refused: string[] = [];
    // Each of them asks for less than one peer may.
    for (let i = 0; i < 6; i++) {
      const host = await createHost({ localNetwork: true });
      hosts.push(host);
      const client = await RpcClient.connect(host, committeeProtocol, endpoint);
      for (let j = 0; j < 9; j++) {
        const answer = client.call("sign", { jobId: "1", attempt: "1", members });
        await answer.catch((error: unknown) => refused.push(String(error)));
      }
      await client.close();
    }
    assert.ok(
      refused.some((reason) => reason.includes("too much")),
      refused.at(-1),
    );
    assert.ok(asked.length - before < 54);
    const own = await node();
    registered.add(own.host.peerId.toString());
    assert.deepEqual(await own.exchange.digests(server, draw), digests);
    const one = [{ position: 0, digests }];
    assert.deepEqual(await own.exchange.sign(server, { ...draw, members: one }), [...signature]);
  });

  it("attack: enrolled validators that use up all that all may ask for keep no member of a draw from a signature", async () => {
    // Of a clock that stands still nothing comes back.
    const serving = await node({ now: () => 0 });
    await serving.exchange.serve(desk);
    const busy: Address = "0x00000000000000000000000000000000000000a3";
    identities.set(busy, [bytesToHex(serving.exchange.identity.peerId), serving.endpoint]);
    const statement = Array.from({ length: 64 }, (_, position) => ({
      position,
      digests: Array.from({ length: 8 }, () => digests[0]!),
    }));
    const refused: string[] = [];
    for (let i = 0; i < 4; i++) {
      const host = await createHost({ localNetwork: true });
      hosts.push(host);
      registered.add(host.peerId.toString());
      const client = await RpcClient.connect(host, committeeProtocol, serving.endpoint, { attempts: 1 });
      for (let j = 0; j < 30; j++) {
        const request = { jobId: "1", attempt: "1", ...(j < 10 && { members: statement }) };
        const answer = client.call(j < 10 ? "sign" : "digests", request);
        await answer.catch((error: unknown) => refused.push(String(error)));
      }
      await client.close();
    }
    assert.match(refused.at(-1)!, /too much/);
    const members = [{ position: 0, digests }];
    const [enrolled, member] = [await node(), await node()];
    for (const { host } of [enrolled, member]) registered.add(host.peerId.toString());
    onDuty.add(member.host.peerId.toString());
    await assert.rejects(enrolled.exchange.sign(busy, { ...draw, members }), /too much/);
    assert.deepEqual(await member.exchange.sign(busy, { ...draw, members }), [...signature]);
    await serving.exchange.close();
  });

  it("attack: takes no message beyond its bounds", async () => {
    const before = asked.length;
    const [, endpoint] = identities.get(server)!;
    const many = Array.from({ length: 9 }, () => digests[0]!);
    const bad = [
      { jobId: "1", attempt: "1", members: [{ position: 64, digests }] },
      { jobId: "1", attempt: "1", members: [{ position: 0, digests: many }] },
      { jobId: "-1", attempt: "1", members: [{ position: 0, digests }] },
      { jobId: "1", attempt: "1", members: [] },
      { jobId: "1", attempt: "1", members: [{ position: 0, digests: ["0x12" as Hex] }] },
    ];
    for (const request of bad) {
      const host = await createHost({ localNetwork: true });
      hosts.push(host);
      const client = await RpcClient.connect(host, committeeProtocol, endpoint);
      await assert.rejects(client.call("sign", request));
      await client.close();
    }
    assert.equal(asked.length, before);
  });
});
