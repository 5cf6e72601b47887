import { useState } from "react";
import type { EncodedDataset, EncodeInput } from "../engine/methods.ts";
import { Notice } from "../ui/badge.tsx";
import { Button, ButtonLink } from "../ui/button.tsx";
import { Card, PageHead } from "../ui/card.tsx";
import { Field, Fields } from "../ui/field.tsx";
import { Fact, Facts } from "../ui/stat.tsx";
import { Table } from "../ui/table.tsx";
import { Id } from "../ui/values.tsx";
import { firstShape, type Shape, ShapeChoice, shapes } from "../upload/shape-choice.tsx";
import { StoreDataset } from "../upload/store-dataset.tsx";
import styles from "./compute.module.css";
import { DropZone } from "./drop-zone.tsx";
import type { Chosen } from "./dropped.ts";
import { theEngine } from "./engine.ts";
import { KeptHere, useKeptHere } from "./kept-here.tsx";
import { saveFile } from "./save-file.ts";
import { useRun } from "./use-run.ts";
import { Failed, Working } from "./working.tsx";

/** A page on which a folder or file becomes a dataset that is ready to be stored. */
export default function AddDataset() {
  const [chosen, setChosen] = useState<Chosen>();
  const [unread, setUnread] = useState<unknown>();
  return (
    <>
      <PageHead kind="Dataset" title="Add a dataset">
        Your browser cuts it into bundles and commits to every byte of them, as the command line does. Nothing
        leaves this computer until you send it to storage nodes.
      </PageHead>
      <Card title="What is in it">
        <DropZone
          takesFolders
          onFailed={setUnread}
          onChosen={(next) => {
            setUnread(undefined);
            setChosen(next);
          }}
        >
          Drop a folder here, or a file: CSV, JSON Lines, IDX with its labels, packed with gzip or not, or any
          other.
        </DropZone>
        {unread !== undefined && <Failed what="What was dropped could not be read" error={unread} />}
        {chosen !== undefined && <Encode key={keyOf(chosen)} chosen={chosen} />}
      </Card>
      <KeptHere />
    </>
  );
}

function keyOf({ folder, files }: Chosen): string {
  return JSON.stringify([folder, files.map(({ path, file }) => [path, file.size, file.lastModified])]);
}

function Encode({ chosen }: { chosen: Chosen }) {
  const { folder, files } = chosen;
  const [shape, setShape] = useState<Shape>(firstShape);
  const [licence, setLicence] = useState("");
  const [description, setDescription] = useState("");
  const [label, setLabel] = useState("");
  const kept = useKeptHere();
  const { run, start, cancel } = useRun<{ encoded: EncodedDataset; command: string }>();
  const isTable = folder === undefined && /\.csv(\.gz)?$/i.test(files[0]?.path ?? "");
  const bytes = files.reduce((sum, { file }) => sum + file.size, 0);
  const input: EncodeInput = {
    folder,
    files,
    ...shapes[shape],
    ...(licence !== "" && { licence }),
    ...(description !== "" && { description }),
    ...(isTable && label !== "" && { label: /^\d+$/.test(label) ? Number(label) : label }),
  };
  const encode = () =>
    start(async (options) => {
      try {
        return {
          encoded: await theEngine().call("encodeDataset", input, options),
          command: commandOf(input),
        };
      } finally {
        kept.lookAgain();
      }
    });
  return (
    <>
      <Facts>
        <Fact name={folder === undefined ? "File" : "Folder"}>
          {folder ?? files.map(({ path }) => path).join(", ")}
        </Fact>
        <Fact name="Size">
          {files.length.toLocaleString("en")} {files.length === 1 ? "file" : "files"},{" "}
          {bytes.toLocaleString("en")} bytes
        </Fact>
      </Facts>
      <form
        className={styles.form}
        onSubmit={(event) => {
          event.preventDefault();
          encode();
        }}
      >
        <Fields>
          <ShapeChoice value={shape} onChange={setShape} />
          {isTable && (
            <Field
              label="Column of the label"
              hint="Its name, its number from 0, first or last; empty for none"
              value={label}
              onChange={({ target }) => setLabel(target.value)}
            />
          )}
          <Field
            label="Licence"
            value={licence}
            maxLength={256}
            onChange={({ target }) => setLicence(target.value)}
          />
          <Field
            label="Description"
            value={description}
            maxLength={4096}
            onChange={({ target }) => setDescription(target.value)}
          />
        </Fields>
        <div className={styles.row}>
          <Button kind="main" type="submit" disabled={run.state === "running"}>
            Encode it
          </Button>
        </div>
      </form>
      {run.state === "running" && <Working progress={run.progress} cancel={cancel} />}
      {run.state === "failed" && <Failed what="It could not be encoded" error={run.error} retry={encode} />}
      {run.state === "done" && <Encoded {...run.output} />}
    </>
  );
}

/** What stores the same dataset from the command line, in the folder where it lies. */
function commandOf({ folder, files, k, n, licence, description, label }: EncodeInput): string {
  const options = Object.entries({ "label-column": label, licence, description });
  const given = options.flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, quoted(String(value))],
  );
  const shards = ["--data-shards", String(k), "--shards", String(n)];
  return ["assay data put", quoted(folder ?? files[0]!.path), ...shards, ...given].join(" ");
}

/** A word as a shell takes it. */
function quoted(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function Encoded({ encoded, command }: { encoded: EncodedDataset; command: string }) {
  const { manifest, manifestCid, manifestHash, manifestBytes, sizes, resumed } = encoded;
  const stored = sizes.reduce((sum, size) => sum + size, 0);
  const save = () => saveFile(manifestBytes, `${manifest.name}.manifest.json`);
  return (
    <>
      <Notice tone="healthy" title={`${manifest.name} is encoded`}>
        {resumed > 0 && `${resumed} bundles were finished before and taken over. `}
        Its bundles lie in this browser; these are their commitments.
      </Notice>
      <Facts>
        <Fact name="Objects">
          {manifest.objectCount.toLocaleString("en")} of {manifest.objectSize.toLocaleString("en")} bytes
        </Fact>
        <Fact name="Bundles">
          {sizes.length}, any {manifest.k} of {manifest.n} of a segment are enough;{" "}
          {stored.toLocaleString("en")} bytes in all
        </Fact>
        <Fact name="Root over the objects">
          <Id hex={manifest.objectRoot} />
        </Fact>
        <Fact name="Hash of the manifest">
          <Id hex={manifestHash} />
        </Fact>
        <Fact name="CID of the manifest">
          <Id hex={manifestCid} />
        </Fact>
      </Facts>
      <StoreDataset
        encoded={encoded}
        onward={(datasetId) => (
          <ButtonLink kind="main" to={`/datasets/${datasetId}`}>
            Open the dataset
          </ButtonLink>
        )}
      />
      <p>
        The command line makes the very same bundles and stores them: <code>{command}</code>. Compare the CID
        of its manifest with the one above.
      </p>
      <div className={styles.row}>
        <Button onClick={save}>Save the manifest</Button>
      </div>
      <Table
        caption="Bundles"
        rows={manifest.bundles.map((bundle, index) => ({ ...bundle, index, size: sizes[index]! }))}
        keyOf={({ index }) => String(index)}
        columns={[
          { head: "Bundle", cell: ({ index }) => index },
          { head: "Bytes", isNumber: true, cell: ({ size }) => size.toLocaleString("en") },
          { head: "Poseidon root", cell: ({ poseidonRoot }) => <Id hex={poseidonRoot} /> },
          { head: "Transport root", cell: ({ transportRoot }) => <Id hex={transportRoot} /> },
          { head: "CID", cell: ({ cid }) => <Id hex={cid} /> },
        ]}
      />
    </>
  );
}
