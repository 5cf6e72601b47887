import { useState } from "react";
import { useLocation } from "wouter";
import styles from "./search-box.module.css";

/** Finds anything by its id, address or CID. */
export function SearchBox() {
  const [text, setText] = useState("");
  const [, navigate] = useLocation();
  return (
    <search className={styles.search}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim() === "") return;
          navigate(`/search/${encodeURIComponent(text.trim())}`);
          setText("");
        }}
      >
        <input
          type="search"
          value={text}
          onChange={(event) => setText(event.target.value)}
          aria-label="Search by id, address, transaction or CID"
          placeholder="Id, address or CID"
          className={styles.input}
          spellCheck={false}
          autoComplete="off"
        />
      </form>
    </search>
  );
}
