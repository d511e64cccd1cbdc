"use strict";

// The page of a network that translates pictures: one is chosen, and its translation is shown.
function translation(model, ask, { byId, listen, put, save, tell }) {
  const least = Math.max(model.unit, model.unit > 1 ? 8 : 1);
  const trained = Math.max(...model.size);
  let chosen;

  // A picture with its longer side as chosen, its sides multiples of what the network takes.
  function fitted(image) {
    const canvas = byId("source"), context = canvas.getContext("2d", { willReadFrequently: true });
    const shrink = Number(byId("longest").value) / Math.max(image.width, image.height);
    const [width, height] = [image.width, image.height].map((side) =>
      Math.max(least, Math.round(side * shrink / model.unit) * model.unit));
    const scale = Math.max(width / image.width, height / image.height);
    const [w, h] = [image.width * scale, image.height * scale];
    [canvas.width, canvas.height] = [width, height];
    context.imageSmoothingQuality = "high";
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.drawImage(image, (width - w) / 2, (height - h) / 2, w, h);
    return { rgba: context.getImageData(0, 0, width, height).data, width, height };
  }

  function busy(is) {
    byId("file").disabled = byId("longest").disabled = is;
  }

  async function open(file) {
    if (!file) return;
    busy(true); // another picture waits until this one is shown
    try {
      chosen = await createImageBitmap(file);
    } catch {
      busy(false);
      return tell("This file is no picture that your browser can read; choose another.");
    }
    show();
  }

  async function show() {
    if (!chosen) return;
    tell("Translating …");
    busy(true);
    try {
      const made = await ask("translate", fitted(chosen));
      put(byId("result"), made);
      byId("save").disabled = false;
      tell(`Translated in ${(made.milliseconds / 1000).toFixed(1)} s.`);
    } catch (error) {
      tell(`This picture can't be translated: ${error.message}`);
    }
    busy(false);
  }

  for (const times of [1, 2, 4]) {
    const option = document.createElement("option");
    option.value = times * trained;
    option.textContent = `${times * trained} pixels${times === 1 ? ", as in training" : ""}`;
    byId("longest").append(option);
  }
  listen("longest", "change", show);
  listen("file", "change", () => open(byId("file").files[0]));
  for (const event of ["dragover", "drop"])
    document.addEventListener(event, (at) => {
      at.preventDefault();
      if (event === "drop" && !byId("file").disabled) open(at.dataTransfer.files[0]);
    });
  listen("save", "click", () => save(byId("result"), "translated", 1));
  byId("about").textContent = "A neural network translates your picture here in your browser."
    + " It is sent nowhere.";
  byId("translate").hidden = false;
}
