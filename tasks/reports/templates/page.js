(function () {
  'use strict';
  var config = {displayModeBar: false, responsive: true, displaylogo: false, scrollZoom: false};
  var zoomGroups = {};
  var busy = false;

  function shareZoom(group, source, event) {
    if (busy) { return; }
    var update = null;
    if (event['xaxis.autorange'] || event['xaxis.range'] || 'xaxis.range[0]' in event) {
      update = {'xaxis.range': source.layout.xaxis.range.slice()};
    }
    if (!update) { return; }
    busy = true;
    Promise.all(zoomGroups[group].filter(function (chart) { return chart !== source; })
      .map(function (chart) { return Plotly.relayout(chart, update); }))
      .then(function () { busy = false; }, function () { busy = false; });
  }

  function draw(figure) {
    var target = figure.querySelector('.chart');
    var waiting = target.querySelector('.waiting');
    if (!window.Plotly) {
      waiting.textContent = 'This chart needs the file “' + document.body.dataset.plotly +
        '”, which belongs to the report. Its finding is in the text below.';
      return;
    }
    var spec = JSON.parse(figure.querySelector('script').textContent);
    var group = figure.dataset.zoom;
    if (waiting) { waiting.remove(); }
    spec.layout.autosize = true;
    if (target.clientWidth < 440 && spec.data.filter(function (trace) { return trace.name; }).length > 4) {
      target.style.height = (target.clientHeight + 90) + 'px';
      spec.layout.height += 90;
    }
    Plotly.newPlot(target, spec.data, spec.layout, config).then(function () {
      if (!group) { return; }
      (zoomGroups[group] = zoomGroups[group] || []).push(target);
      target.on('plotly_relayout', function (event) { shareZoom(group, target, event); });
    });
  }

  function compare(a, b, numeric) {
    if (a === '' || b === '') { return a === b ? 0 : null; }
    return numeric ? a - b : a.localeCompare(b, 'en', {numeric: true});
  }

  function sortTable(table, column, heading) {
    var descending = heading.getAttribute('aria-sort') === 'ascending';
    var body = table.tBodies[0];
    var numeric = heading.classList.contains('num');
    var rows = Array.prototype.slice.call(body.rows);
    var key = function (row) {
      var cell = row.cells[column];
      return cell.hasAttribute('data-sort') ? cell.getAttribute('data-sort') : cell.textContent.trim();
    };
    rows.map(function (row, index) { return {row: row, key: key(row), index: index}; }).sort(function (a, b) {
      var order = compare(a.key, b.key, numeric);
      if (order === null) { return a.key === '' ? 1 : -1; }
      return (descending ? -order : order) || a.index - b.index;
    }).forEach(function (item) { body.appendChild(item.row); });
    table.querySelectorAll('th[aria-sort]').forEach(function (other) { other.setAttribute('aria-sort', 'none'); });
    heading.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
  }

  document.querySelectorAll('table.sortable').forEach(function (table) {
    table.querySelectorAll('thead button').forEach(function (button) {
      var heading = button.closest('th');
      heading.setAttribute('aria-sort', 'none');
      button.addEventListener('click', function () { sortTable(table, heading.cellIndex, heading); });
    });
  });

  // Paper is narrower than the screen: drawings shrink to its columns, and grow back afterwards.
  var PAPER_COLUMN = {1: 660, 2: 312};

  window.addEventListener('beforeprint', function () {
    document.querySelectorAll('.chart .svg-container').forEach(function (box) {
      var width = box.clientWidth;
      var room = PAPER_COLUMN[box.closest('.columns-2, .columns-3') ? 2 : 1];
      box.dataset.screen = box.style.cssText;
      box.style.width = width + 'px';
      box.style.height = box.clientHeight + 'px';
      box.style.zoom = Math.min(1, room / width);
    });
  });

  window.addEventListener('afterprint', function () {
    document.querySelectorAll('.chart .svg-container').forEach(function (box) {
      box.style.cssText = box.dataset.screen;
    });
  });

  var contents = document.querySelector('nav.contents details');
  if (contents && window.matchMedia('(max-width: 62rem)').matches) { contents.open = false; }
  document.querySelectorAll('figure[data-chart]').forEach(draw);
}());
