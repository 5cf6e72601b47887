import type { Hex } from "viem";
import styles from "./dataset-name.module.css";
import { useManifest } from "./use-manifest.ts";

/** What the owner of a dataset calls it, once its manifest has come; nothing where it cannot be had. */
export default function DatasetName({ id, digest }: { id: string; digest: string }) {
  const { data } = useManifest(id as Hex, digest as Hex);
  if (data === undefined) return "–";
  const { name } = data.manifest;
  return (
    <span className={styles.name} title={name}>
      {name}
    </span>
  );
}
