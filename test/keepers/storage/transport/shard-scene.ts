import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach } from "node:test";
import { maxBlobBytes } from "../../../../keepers/src/storage/backends/blob-cid.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import type { ServerOptions } from "../../../../keepers/src/storage/transport/rpc-server.ts";
import { type ConnectOptions, ShardClient } from "../../../../keepers/src/storage/transport/shard-client.ts";
import { ShardServer, type ShardService } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { generator } from "../random.ts";

export const directory = await mkdtemp(join(tmpdir(), "assay-shard-"));
after(() => rm(directory, { recursive: true, force: true }));

export const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const action of cleanUp.splice(0).reverse()) await action();
});

export async function host(listening: boolean): Promise<Host> {
  const node = await createHost({ localNetwork: true, listen: listening ? ["/ip4/127.0.0.1/tcp/0"] : [] });
  cleanUp.push(async () => node.stop());
  return node;
}

export type Pair = {
  server: Host;
  shards: ShardServer;
  client: ShardClient;
  clientHost: Host;
  address: string;
};

export async function pair(
  service: ShardService,
  serving: ServerOptions = {},
  asking: ConnectOptions = {},
): Promise<Pair> {
  const server = await host(true);
  const shards = await ShardServer.start(server, service, serving);
  const clientHost = await host(false);
  const address = server.getMultiaddrs()[0]!.toString();
  const client = await ShardClient.connect(clientHost, address, { backOff: 5, ...asking });
  cleanUp.push(() => client.close());
  return { server, shards, client, clientHost, address };
}

export const same = (actual: Uint8Array, expected: Uint8Array): void => {
  assert.ok(
    Buffer.compare(actual, expected) === 0,
    `${actual.length} bytes differ from the ${expected.length} expected`,
  );
};

export const bytes = generator(3).bytes(maxBlobBytes);
export const owner = `0x${"0a".repeat(20)}` as const;
export const manifestCid = "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e";
