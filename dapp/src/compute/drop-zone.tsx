import { type ReactNode, useRef, useState } from "react";
import { Button } from "../ui/button.tsx";
import styles from "./compute.module.css";
import { type Chosen, chosenOf, droppedOf } from "./dropped.ts";

type Props = {
  readonly children: ReactNode;
  readonly onChosen: (chosen: Chosen) => void;
  readonly onFailed: (error: unknown) => void;
  /** Whether a folder may be chosen, too. */
  readonly takesFolders?: boolean;
  /** Kinds of files, as inputs name them. */
  readonly accept?: string;
};

/** A place to drop files on, with buttons that do the same. */
export function DropZone({ children, onChosen, onFailed, takesFolders = false, accept }: Props) {
  const [isOver, setOver] = useState(false);
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const choose = (input: HTMLInputElement) => {
    if (input.files !== null && input.files.length > 0) onChosen(chosenOf(input.files));
    // The same files may be chosen again.
    input.value = "";
  };
  return (
    <section
      aria-label="Files"
      className={`${styles.drop} ${isOver ? styles.over : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        droppedOf(event.dataTransfer, takesFolders).then(onChosen, onFailed);
      }}
    >
      <p>{children}</p>
      <div className={styles.buttons}>
        {takesFolders && <Button onClick={() => folder.current?.click()}>Choose a folder</Button>}
        <Button onClick={() => files.current?.click()}>Choose {takesFolders ? "files" : "a file"}</Button>
      </div>
      <input
        ref={files}
        type="file"
        hidden
        accept={accept}
        multiple={takesFolders}
        aria-label="Files to read"
        onChange={({ target }) => choose(target)}
      />
      {takesFolders && (
        <input
          ref={folder}
          type="file"
          hidden
          webkitdirectory=""
          aria-label="Folder to read"
          onChange={({ target }) => choose(target)}
        />
      )}
    </section>
  );
}

declare module "react" {
  interface InputHTMLAttributes<T> {
    /** Takes a folder instead of files; every browser knows it by this name. */
    webkitdirectory?: T extends HTMLInputElement ? string : never;
  }
}
