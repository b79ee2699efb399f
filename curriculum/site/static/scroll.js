// What is wider than the page can be scrolled with the keyboard, too.
addEventListener("load", () => {
  for (const block of document.querySelectorAll("pre, .formula, .table-wrapper, .cell_output, .output")) {
    if (block.scrollWidth > block.clientWidth || block.scrollHeight > block.clientHeight) {
      block.tabIndex = 0;
    }
  }
});
