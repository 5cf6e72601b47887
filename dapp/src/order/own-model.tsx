import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import type { Hex } from "viem";
import { StoredFileDocument, type StoredFileQuery } from "../../../subgraph/queries/documents.ts";
import { theEngine } from "../compute/engine.ts";
import { useRun } from "../compute/use-run.ts";
import { Failed, Working } from "../compute/working.tsx";
import { useAnswer } from "../data/use-answer.ts";
import { useContracts } from "../data/use-contracts.ts";
import type { CompileVerdict, HashedObjects } from "../engine/methods.ts";
import { Notice } from "../ui/badge.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { Failure } from "../ui/states.tsx";
import { Id } from "../ui/values.tsx";
import { StoreFile } from "../upload/store-file.tsx";
import type { CheckedForm } from "./form.ts";
import type { OrderedDataset } from "./read-dataset.ts";
import { verdictInput } from "./recipe.ts";

type Dataset = StoredFileQuery["datasets"][number];

/** A file that can be ordered, and the dataset that holds it. */
export type HeldModel = { readonly file: File; readonly datasetId: Hex };

type Props = {
  readonly file: File;
  /** What is ordered beside the model; undefined while something in the form is not right. */
  readonly form: CheckedForm | undefined;
  readonly dataset: OrderedDataset;
  /** Told which dataset holds the file, or that none does. */
  readonly onStored: (held: HeldModel | undefined) => void;
};

/** Parts of the form that decide what a model is compiled to. */
const deciding = ["classes", "scale", "layout", "profile", "microBatch", "momentum"] as const;

/**
 * A model of the consumer's own: whether it can be trained on the data, what that takes, or which of its nodes stands in the
 * way; and which dataset holds its file, for that is where providers fetch it.
 */
export default function OwnModel({ file, form, dataset, onStored }: Props) {
  const { run, start } = useRun<CompileVerdict>();
  const hashing = useRun<HashedObjects>();
  const { start: hash } = hashing;
  const compiled = form === undefined ? undefined : JSON.stringify(deciding.map((name) => form[name]));
  // biome-ignore lint/correctness/useExhaustiveDependencies: what of the form decides is in `compiled`
  useEffect(() => {
    if (form === undefined) return;
    start(async (options) => theEngine().call("compileModel", verdictInput(form, dataset, file), options));
  }, [compiled, file, dataset.datasetId, start]);
  useEffect(() => {
    hash((options) => theEngine().call("hashObjects", { files: [{ path: file.name, file }] }, options));
  }, [file, hash]);
  const hashed = hashing.run.state === "done" ? hashing.run.output : undefined;
  const stored = useAnswer(
    StoredFileDocument,
    { objectRoot: hashed?.objectRoot ?? "" },
    hashed !== undefined,
  );
  const named = hashed && stored.data?.datasets.find((each) => holds(each, hashed));
  // An index says where it may be; the chain, whether that is anchored.
  const { contracts } = useContracts();
  const anchor = useQuery({
    queryKey: ["anchor", named?.id],
    enabled: named !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: () => contracts.DatasetRegistry.read.datasetOf([named!.id as Hex]),
  });
  const holder = anchor.data?.objectRoot === hashed?.objectRoot ? named : undefined;
  const isAccepted = run.state === "done" && run.output.accepted;
  // What is being stored goes on while something else of the form is changed.
  const [hasBeenAccepted, setAccepted] = useState(false);
  useEffect(() => {
    if (isAccepted) setAccepted(true);
  }, [isAccepted]);
  const datasetId = isAccepted ? (holder?.id as Hex | undefined) : undefined;
  useEffect(() => onStored(datasetId && { file, datasetId }), [file, datasetId, onStored]);
  return (
    <>
      {run.state === "running" && <Working progress={run.progress} />}
      {run.state === "failed" && <Failed what={`${file.name} could not be read`} error={run.error} />}
      {run.state === "done" && <Verdict name={file.name} verdict={run.output} steps={form?.steps} />}
      {isAccepted && hashing.run.state === "running" && <Working progress={hashing.run.progress} />}
      {isAccepted && hashing.run.state === "failed" && (
        <Failed what={`${file.name} could not be hashed`} error={hashing.run.error} />
      )}
      {hasBeenAccepted && stored.error !== null && (
        <Failure
          what="Whether it is stored could not be read"
          error={stored.error}
          retry={() => void stored.refetch()}
        />
      )}
      {hasBeenAccepted && stored.data !== undefined && <Stored file={file} holder={holder} />}
    </>
  );
}

/** Whether a dataset holds these objects, and can be read. */
function holds({ objectRoot, objectCount, objectSize, k, n, bundles }: Dataset, objects: HashedObjects) {
  const placed = Map.groupBy(
    bundles.filter(({ isPlaced }) => isPlaced),
    ({ index }) => Math.floor(index / n),
  );
  const segments = Math.ceil(bundles.length / n);
  return (
    objectRoot === objects.objectRoot &&
    Number(objectCount) === objects.objectCount &&
    Number(objectSize) === objects.objectSize &&
    placed.size === segments &&
    [...placed.values()].every(({ length }) => length >= k)
  );
}

function Stored({ file, holder }: { file: File; holder: Dataset | undefined }) {
  const [isBegun, setBegun] = useState(false);
  const name = /^[\w.-]+$/.test(file.name) ? file.name : `'${file.name.replaceAll("'", "'\\''")}'`;
  return (
    <>
      {holder === undefined ? (
        <Notice tone="waiting" title="Providers have to be able to fetch it">
          <p>
            An order names the dataset that holds its model, and no storage node has this file yet. This page
            goes on by itself when some have, from here or from the command line in the folder where it lies:{" "}
            <code>assay data put {name}</code>
          </p>
        </Notice>
      ) : (
        <Notice tone="healthy" title="It is stored: providers can fetch it">
          <p>
            Dataset <Id hex={holder.id} to={`/datasets/${holder.id}`} /> holds this very file, by the root
            over its bytes.
          </p>
        </Notice>
      )}
      {/* Enough bundles are not all: what was begun is brought to its end. */}
      {(holder === undefined || isBegun) && <StoreFile file={file} onBegun={() => setBegun(true)} />}
    </>
  );
}

function Verdict({
  name,
  verdict,
  steps = 0,
}: {
  name: string;
  verdict: CompileVerdict;
  steps: number | undefined;
}) {
  if (!verdict.accepted) {
    const { reason, next, node } = verdict;
    return (
      <Notice tone="wrong" title={`${name} cannot be trained as it is`}>
        <p>{reason}</p>
        {node !== undefined && <p>In the model: {node}</p>}
        {next !== undefined && <p>{next}</p>}
      </Notice>
    );
  }
  const { programRoot, parameters, parameterCount, termsPerStep, memoryBytes, stateBytes } = verdict;
  return (
    <>
      <Notice tone="healthy" title={`${name} can be trained`} />
      <Facts>
        <Fact name="Parameters">
          {parameterCount.toLocaleString("en")} in {parameters.length} tensors
        </Fact>
        <Fact name="Work">
          {termsPerStep.toLocaleString("en")} products a step, {(termsPerStep * steps).toLocaleString("en")}{" "}
          in all
        </Fact>
        <Fact name="Memory">
          about {Math.ceil(memoryBytes / 2 ** 20).toLocaleString("en")} MiB, of which the state takes{" "}
          {Math.ceil(stateBytes / 1024).toLocaleString("en")} KiB
        </Fact>
        <Fact name="Program root">
          <Id hex={programRoot} />
        </Fact>
      </Facts>
    </>
  );
}
