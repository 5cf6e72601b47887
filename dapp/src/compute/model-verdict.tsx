import { useEffect, useState } from "react";
import { hexToBytes } from "viem";
import { decodePackage } from "../../../keepers/src/core/market/package.ts";
import type { DescribedOrder } from "../../../keepers/src/roles/consumer/compose-order.ts";
import type { InputSpec } from "../../../keepers/src/training/compiler/options.ts";
import type { CompileInput, CompileVerdict } from "../engine/methods.ts";
import { Notice } from "../ui/badge.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { Id } from "../ui/values.tsx";
import { DropZone } from "./drop-zone.tsx";
import { theEngine } from "./engine.ts";
import { useRun } from "./use-run.ts";
import { Failed, Working } from "./working.tsx";

type Props = {
  readonly described: DescribedOrder;
  /** Shape of a sample as the dataset says it: an image may be taken as one, or as a row of numbers. */
  readonly shape: readonly number[] | undefined;
};

/**
 * A model of the visitor's own, in place of the one that an order describes: whether it can be trained on the same data in
 * the same way, what that takes, or which of its nodes stands in the way.
 */
export default function ModelVerdict({ described, shape }: Props) {
  const [file, setFile] = useState<File>();
  const [unread, setUnread] = useState<unknown>();
  const { run, start, cancel } = useRun<CompileVerdict>();
  const { package: published, trainingOrder } = described;
  useEffect(() => {
    if (file === undefined) return;
    const { model: _, format: __, input, ...recipe } = decodePackage(hexToBytes(published));
    const { objectBytes, microBatches } = trainingOrder;
    const model = { kind: "onnx", file } as const;
    const given: CompileInput = { ...recipe, objectBytes, microBatches, model, input: waysOf(input, shape) };
    start((options) => theEngine().call("compileModel", given, options));
  }, [file, published, trainingOrder, shape, start]);
  return (
    <>
      <DropZone
        accept=".onnx"
        onFailed={setUnread}
        onChosen={({ files }) => {
          setUnread(undefined);
          setFile(files[0]!.file);
        }}
      >
        Or a model of your own: drop an ONNX file here to see whether it can be trained on this data.
      </DropZone>
      {unread !== undefined && <Failed what="What was dropped could not be read" error={unread} />}
      {run.state === "running" && <Working progress={run.progress} cancel={cancel} />}
      {run.state === "failed" && <Failed what={`${file?.name} could not be read`} error={run.error} />}
      {run.state === "done" && file !== undefined && (
        <Verdict name={file.name} verdict={run.output} steps={trainingOrder.steps} />
      )}
    </>
  );
}

/** A sample as the order takes it, as a row of numbers, and as a grey image where the dataset has one. */
function waysOf(input: InputSpec, shape: readonly number[] | undefined): InputSpec[] {
  const count = input.shape.reduce((product, size) => product * size, 1);
  const row: InputSpec = { ...input, layout: "flat", shape: [count] };
  return shape?.length === 2
    ? [input, row, { ...input, layout: "NCHW", shape: [1, ...shape] }]
    : [input, row];
}

function Verdict({ name, verdict, steps }: { name: string; verdict: CompileVerdict; steps: number }) {
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
      <Notice tone="healthy" title={`${name} can be trained`}>
        Store the file with <code>assay data put</code>, and order with <code>assay order create</code>, which
        takes the dataset that holds it.
      </Notice>
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
