"use strict";

// What the pages share: finding their elements, drawing a curve, giving a file away.

const element = (id) => document.getElementById(id);

/** values (count,), from 0 to `top`; one point a pixel at most. */
function drawCurve(canvas, values, top) {
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.strokeStyle = getComputedStyle(document.body).getPropertyValue("--bar");
  pen.lineWidth = 2;
  pen.beginPath();
  const every = Math.max(1, Math.floor(values.length / canvas.width));
  for (let i = 0; i < values.length; i += every) {
    const x = (i / Math.max(values.length - 1, 1)) * canvas.width;
    pen.lineTo(x, canvas.height - 2 - (values[i] / top) * (canvas.height - 4));
  }
  pen.stroke();
}

/** Offer `content` as a file, as a click on a link would. */
function giveFile(name, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content]));
  link.download = name;
  link.click();
}
