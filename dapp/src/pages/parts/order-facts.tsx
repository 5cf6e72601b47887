import { type Hex, hexToBytes } from "viem";
import { decodeOrder } from "../../../../keepers/src/core/exact/decode-order.ts";
import { decodePackage, type JobPackage } from "../../../../keepers/src/core/market/package.ts";
import type { TrainingDataQuery } from "../../../../subgraph/queries/documents.ts";
import { duration } from "../../ui/moment.ts";
import { Fact, Facts } from "../../ui/stat.tsx";
import { Amount, Id, Time } from "../../ui/values.tsx";
import { Quote } from "./quote.tsx";

type Order = NonNullable<TrainingDataQuery["job"]>["order"];

/** Steps of a training, and steps between two leaves of its trace; of one step when the order cannot be read. */
export function runOf(training: string | null): { steps: number; size: number } {
  const order = readTraining(training);
  return order === undefined ? { steps: 1, size: 1 } : { steps: order.steps, size: order.interval };
}

function readTraining(training: string | null) {
  if (training === null) return undefined;
  try {
    return decodeOrder(training as Hex);
  } catch {
    return undefined;
  }
}

function readPackage(bytes: string | null): JobPackage | undefined {
  if (bytes === null) return undefined;
  try {
    return decodePackage(hexToBytes(bytes as Hex));
  } catch {
    return undefined;
  }
}

const vouching = {
  Optimistic: "Anyone who disputes it; nobody has to check",
  Committee: "A committee",
  Both: "A committee, and anyone who disputes it",
} as const;

/** What an order asks for, read from what was published with it. */
export function OrderFacts({ order }: { order: Order }) {
  const training = readTraining(order.training);
  const described = readPackage(order.trainingPackage);
  const { scheme, committeeSize, threshold, checkFee, instalments } = order;
  return (
    <Facts>
      {described !== undefined && (
        <Fact name="Model">
          {described.model.kind === "built-in" ? (
            <>
              {described.model.name}
              {Object.entries(described.model.options).map(([name, value]) => ` · ${name} ${String(value)}`)}
            </>
          ) : (
            <>
              ONNX file in{" "}
              <Id hex={described.model.datasetId} to={`/datasets/${described.model.datasetId}`} />
            </>
          )}
        </Fact>
      )}
      {training !== undefined && (
        <>
          <Fact name="Training">
            {training.steps.toLocaleString("en")} steps of {training.microBatch * training.microBatches}{" "}
            samples, a state root every {training.interval}
          </Fact>
          <Fact name="Samples">
            {training.train.toLocaleString("en")} to train on,{" "}
            {(training.objects - training.train).toLocaleString("en")} kept apart
          </Fact>
          <Fact name="Numbers">{training.bits}-bit integers, exact</Fact>
        </>
      )}
      <Fact name="At most">
        <Quote price={order.maximumPrice} feed={order.priceFeed} />
      </Fact>
      {order.priceFeed !== null && (
        <>
          <Fact name="Taken for it, at most">
            <Amount units={order.deposit} />
          </Fact>
          <Fact name="Price feed">
            <Id hex={order.priceFeed} />
          </Fact>
        </>
      )}
      <Fact name="Paid in">{instalments > 1 ? `${instalments} instalments` : "one payment at the end"}</Fact>
      <Fact name="Who vouches for it">
        {vouching[scheme]}
        {committeeSize > 0 && (
          <>
            : {threshold} of {committeeSize}, <Amount units={checkFee} /> for each interval
          </>
        )}
      </Fact>
      <Fact name="Time to train">{duration(Number(order.trainingTime))}</Fact>
      <Fact name="Good until">
        <Time at={order.expiry} />
      </Fact>
      <Fact name="Program root">
        <Id hex={order.programRoot} />
      </Fact>
      <Fact name="Order (EIP-712)">
        <Id hex={order.id} />
      </Fact>
    </Facts>
  );
}
