"use strict";
// Sorts the tables by a click on a heading: numbers by value, empty cells last in both directions.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const ascending = heading.getAttribute("aria-sort") !== "ascending";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const valueOf = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const compare = (a, b) => {
        if (a === "" || b === "") return (a === "") - (b === "");
        const difference = a - b;
        const order = Number.isNaN(difference) ? a.localeCompare(b) : difference;
        return ascending ? order : -order;
      };
      const rows = [...body.rows];
      rows.sort((a, b) => compare(valueOf(a), valueOf(b)));
      body.append(...rows);
    });
  });
}
