// A button on each block of code that copies it, without the prompts of a shell.
addEventListener("DOMContentLoaded", () => document.querySelectorAll("main div.highlight pre").forEach(pre => {
  if (pre.closest(".cell_output")) return;
  const button = Object.assign(document.createElement("button"), {type: "button", className: "copy", textContent: "copy"});
  button.onclick = async () => {
    await navigator.clipboard.writeText(pre.textContent.replace(/^\$ /gm, ""));
    button.textContent = "copied";
    setTimeout(() => button.textContent = "copy", 1500);
  };
  pre.parentElement.append(button);
}));
