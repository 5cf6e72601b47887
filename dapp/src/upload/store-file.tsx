import { useState } from "react";
import { theEngine } from "../compute/engine.ts";
import { useRun } from "../compute/use-run.ts";
import { Failed, Working } from "../compute/working.tsx";
import type { EncodedDataset } from "../engine/methods.ts";
import { Button } from "../ui/button.tsx";
import { Fields } from "../ui/field.tsx";
import { firstShape, type Shape, ShapeChoice, shapes } from "./shape-choice.tsx";
import { StoreDataset } from "./store-dataset.tsx";

/** Makes a dataset of a single file, and brings it to storage nodes. */
export function StoreFile({ file, onBegun }: { file: File; onBegun: () => void }) {
  const [shape, setShape] = useState<Shape>(firstShape);
  const { run, start, cancel } = useRun<EncodedDataset>();
  const encode = () => {
    onBegun();
    start((options) =>
      theEngine().call("encodeDataset", { files: [{ path: file.name, file }], ...shapes[shape] }, options),
    );
  };
  return (
    <>
      {run.state !== "done" && (
        <>
          <Fields>
            <ShapeChoice value={shape} onChange={setShape} />
          </Fields>
          <div>
            <Button onClick={encode} disabled={run.state === "running"}>
              Encode it, to have it stored
            </Button>
          </div>
        </>
      )}
      {run.state === "running" && <Working progress={run.progress} cancel={cancel} />}
      {run.state === "failed" && <Failed what="It could not be encoded" error={run.error} retry={encode} />}
      {run.state === "done" && <StoreDataset encoded={run.output} />}
    </>
  );
}
