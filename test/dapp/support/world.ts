import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hex } from "viem";
import { type JobsShown, runJobs } from "../../../keepers/src/roles/embedded/job-run.ts";
import { EmbeddedNetwork } from "../../../keepers/src/roles/embedded/network.ts";
import { put } from "../../../keepers/src/storage/client/put.ts";
import { openSource } from "../../../keepers/src/storage/readers/open-source.ts";
import { AuditTrail } from "../../../scripts/audit-trail.ts";
import { type OpenPage, openPage } from "../../../scripts/page-network.ts";
import { setUp } from "../../../scripts/setup.ts";
import { type OwnerClient, openOwner } from "../../e2e/support/client.ts";

/** A network in which everything has happened that the page shows, and the page in front of it. */
export type World = {
  readonly network: EmbeddedNetwork;
  readonly owner: OwnerClient;
  readonly datasetId: Hex;
  readonly trail: AuditTrail;
  readonly jobs: JobsShown;
  readonly page: OpenPage;
  readonly folder: string;
  close(): Promise<void>;
};

/**
 * Five storage nodes with the built-in digits on them, a job that was paid and one that was convicted, their subgraph, and
 * the page as an IPFS gateway would give it.
 */
export async function openWorld(port?: number): Promise<World> {
  await setUp();
  const folder = await mkdtemp(join(tmpdir(), "assay-page-"));
  const network = await EmbeddedNetwork.start({ folder: join(folder, "network"), nodes: 5, port });
  const owner = await openOwner(network, folder);
  const { datasetId } = await put(owner, {
    source: await openSource("digits"),
    identity: "digits",
    directory: join(folder, "uploads"),
    commit: (bytes) => network.commitPool.commit(bytes),
    k: 2,
    n: 3,
    feePerAudit: 10n ** 15n,
    epochs: 30,
  });
  const trail = await AuditTrail.start(network, folder);
  const jobs = await runJobs({ network, folder, datasetId, stage: (_, work) => work() });
  await trail.ask();
  const page = await openPage({
    network,
    subgraph: trail.url,
    base: "/ipfs/bafytest/",
    ...(port === undefined ? {} : { port: port + 1 }),
  });
  return {
    network,
    owner,
    datasetId,
    trail,
    jobs,
    page,
    folder,
    async close() {
      await page.close();
      await trail.close();
      await owner.close();
      await network.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
