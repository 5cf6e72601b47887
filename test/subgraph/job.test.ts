import assert from "node:assert/strict";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { graphqlSync } from "graphql";
import type { Address } from "viem";
import type { DeployedName } from "../../keepers/src/chain/deployment.ts";
import { openSubgraph, type SubgraphNode } from "../../subgraph/node/node.ts";
import type {
  FindQuery,
  JobHistoryQuery,
  ModelCertificateQuery,
  OperatorWorkQuery,
  OrderedJobsQuery,
  TrainingDataQuery,
  WhoTrainedQuery,
  WhoWasPaidQuery,
} from "../../subgraph/queries/documents.ts";
import { readyMadeQueries } from "../../subgraph/ready-made.ts";
import { windows } from "../keepers/roles/jobs/network.ts";
import { Scene } from "../keepers/roles/jobs/scene.ts";

const manifest = resolve(import.meta.dirname, "../../subgraph/build/subgraph.yaml");

type Answer = Record<string, never>;

describe("a job in the subgraph, by the bytecode that is deployed", () => {
  let scene: Scene;
  let node: SubgraphNode;
  let jobId: string;

  const query = (source: string): Answer => {
    const { data, errors } = graphqlSync({ schema: node.schema, source });
    assert.deepEqual(errors ?? [], []);
    return JSON.parse(JSON.stringify(data)) as Answer;
  };

  before(async () => {
    scene = await Scene.start();
    const described = await scene.order();
    const provider = await scene.provider();
    await scene.consumer.post(described);
    await scene.until(described, "Committed", [provider]);
    await scene.network.outlast(windows.challenge);
    const job = await scene.until(described, "Finalised", [provider]);
    await scene.settle([provider]);
    await provider.stop();
    jobId = String(job.jobId);
    const { client, deployment } = scene.network;
    node = openSubgraph({
      manifest,
      client,
      deployment,
      path: join(scene.network.folder, "subgraph.sqlite"),
    });
    await node.indexer.catchUp();
  });

  after(async () => {
    node?.close();
    await scene?.close();
  });

  it("holds every event of every contract", async () => {
    const { client, deployment } = scene.network;
    const addresses = Object.entries(deployment.addresses) as [DeployedName, Address][];
    const logs = await client.public.getLogs({
      address: addresses.map(([, address]) => address),
      fromBlock: deployment.startBlock,
      toBlock: node.store.head()!.number,
    });
    const { events } = query(
      "{ events(first: 1000, orderBy: block) { id contract name parameters } }",
    ) as unknown as {
      events: { contract: string; parameters: string }[];
    };
    assert.ok(logs.length > 30);
    const contractOf = new Map(addresses.map(([name, address]) => [address.toLowerCase(), name]));
    assert.deepEqual(
      events.map(({ contract }) => contract).sort(),
      logs.map(({ address }) => contractOf.get(address.toLowerCase())!).sort(),
    );
    for (const { parameters } of events) assert.equal(typeof JSON.parse(parameters), "object");
  });

  it("tells a job's life, who was paid, and what was certified", async () => {
    const answer = query(`{
      job(id: "${jobId}") {
        status price paid refunded consumer
        provider { id jobsFinalised earned staked locked }
        order { maximumPrice scheme dataset { id } }
        payments(orderBy: timestamp) { kind amount to }
        certificates { id stateRoot isAttested }
        stateRoot
      }
      network(id: "assay") { jobs jobsFinalised paid staked }
      _meta { block { number } hasIndexingErrors }
    }`) as unknown as {
      job: {
        status: string;
        price: string;
        paid: string;
        stateRoot: string;
        provider: Record<string, string>;
        certificates: readonly { stateRoot: string }[];
      };
    };
    const { job } = answer;
    const onChain = scene.consumer.ledger.job(BigInt(jobId))!;
    assert.equal(job.status, "Finalised");
    assert.equal(job.price, String(onChain.price));
    assert.equal(job.paid, String(onChain.price));
    const operator = await scene.network.contracts.Staking.read.operatorOf([onChain.provider!]);
    assert.equal(job.provider.staked, String(operator.stake));
    assert.equal(job.provider.locked, String(operator.locked));
    assert.equal(job.provider.earned, String(onChain.price));
    assert.equal(job.stateRoot, onChain.result!.stateRoot);
    assert.equal(job.certificates[0]!.stateRoot, onChain.result!.stateRoot);
  });

  it("answers every ready-made audit query", async () => {
    const { job } = query(
      `{ job(id: "${jobId}") { consumer dataset { id manifestDigest objectRoot } provider { id } certificates { id } } }`,
    ) as unknown as {
      job: {
        consumer: string;
        dataset: { id: string; manifestDigest: string; objectRoot: string };
        provider: { id: string };
        certificates: { id: string }[];
      };
    };
    const { id: dataset, manifestDigest: digest, objectRoot } = job.dataset;
    const variables = {
      job: jobId,
      paymentsOf: jobId,
      block: Number(node.store.head()!.number),
      dataset,
      bundlesOf: dataset,
      operator: job.provider.id,
      of: job.provider.id,
      to: job.provider.id,
      audits: 10,
      payments: 10,
      consumer: job.consumer,
      certificate: job.certificates[0]!.id,
      id: dataset,
      digest,
      objectRoot,
    };
    const answers = new Map<string, Answer>();
    for (const { name, text } of readyMadeQueries()) {
      const { data, errors } = graphqlSync({ schema: node.schema, source: text, variableValues: variables });
      assert.deepEqual(errors ?? [], [], name);
      // What an id is not is null; all others ask for what is there.
      for (const [field, value] of Object.entries(name === "find" ? { dataset: data!.dataset } : data!))
        assert.notEqual(value, null, `${name}: ${field}`);
      answers.set(name, JSON.parse(JSON.stringify(data)) as Answer);
    }
    const onChain = scene.consumer.ledger.job(BigInt(jobId))!;
    const answer = <T>(name: string) => answers.get(name) as unknown as T;
    const { datasets: byDigest, ...byId } = answer<FindQuery>("find");
    assert.deepEqual(byId, { dataset: { id: dataset }, order: null, bundle: null });
    assert.ok(byDigest.some(({ id }) => id === dataset));
    const trained = answer<TrainingDataQuery>("training-data").job!;
    assert.equal(trained.stateRoot, onChain.result!.stateRoot);
    assert.equal(trained.order.trainingHash, onChain.order.problem.trainingHash);
    const prices = answer<WhoWasPaidQuery>("who-was-paid").payments.filter(({ kind }) => kind === "Price");
    assert.deepEqual(
      prices.map(({ amount, to }) => [amount, to]),
      [[String(onChain.price), onChain.provider!.toLowerCase()]],
    );
    const { certificate } = answer<ModelCertificateQuery>("model-certificate");
    assert.equal(certificate!.stateRoot, onChain.result!.stateRoot);
    assert.equal(answer<WhoTrainedQuery>("who-trained").job!.provider!.id, onChain.provider!.toLowerCase());
    const ordered = answer<OrderedJobsQuery>("ordered-jobs").jobs.map(({ id }) => id);
    assert.ok(ordered.includes(String(jobId)), ordered.join());
    const { payments } = answer<OperatorWorkQuery>("operator-work");
    assert.ok(payments.some(({ amount }) => amount === String(onChain.price)));
    assert.ok(answer<JobHistoryQuery>("job-history").events.length > 5);
  });

  it("shows the job as it was at an earlier block", async () => {
    const { events } = query(
      `{ events(where: { job: "${jobId}", name_in: ["JobLocked"] }) { block } }`,
    ) as unknown as { events: { block: string }[] };
    const block = events[0]!.block;
    const at = (number: number) => query(`{ job(id: "${jobId}", block: { number: ${number} }) { status } }`);
    assert.deepEqual(at(Number(block)), { job: { status: "Training" } });
    assert.deepEqual(at(Number(block) - 1), { job: { status: "Matched" } });
  });

  it("has the same entities and proof of indexing when it starts anew, in other steps", async () => {
    const { client, deployment } = scene.network;
    const other = openSubgraph({
      manifest,
      client,
      deployment,
      path: ":memory:",
      history: 4n,
      maximumRange: 7n,
    });
    await other.indexer.catchUp();
    const common = node.store.head()!.number;
    const [mine] = node.store.blocksDownFrom(common, 1);
    const [theirs] = other.store.blocksDownFrom(common, 1);
    assert.equal(mine!.proof, theirs!.proof);
    assert.notEqual(mine!.proof, `0x${"0".repeat(64)}`);
    other.close();
  });
});
