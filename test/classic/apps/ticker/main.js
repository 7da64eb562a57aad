// Stock ticker. Prices walk; every client hears of the symbols that it watches, and of all headlines.

var prices = { MACR: 40.43, ADBE: 29.5, RNWK: 7.15 };
var heard = 0, lost = 0;

application.onAppStart = function () {
	this.feed = new Feed(prices);
};

application.onConnect = function (client, symbols) {
	client.watches = typeof symbols == "string" ? symbols.split(",") : [];
	if (this.clients.length == 0) this.feed.open(10);
	return true;
};

application.onDisconnect = function () {
	// The one who leaves is not counted any more.
	if (this.clients.length == 0) this.feed.close();
	trace("left: " + this.clients.length);
};

function Feed(prices) {
	this.prices = prices;
	this.step = 0;
}

Feed.prototype = {
	open: function (ms) {
		this.timer = setInterval(this, "tick", ms);
		trace("feed opens");
	},
	close: function () {
		clearInterval(this.timer);
		trace("feed closes");
	},
	tick: function () {
		this.step++;
		for (var symbol in this.prices) this.quote(symbol, this.step % 2 ? 0.25 : -0.25);
		if (this.step % 5 == 0) application.broadcastMsg("headline", "Step " + this.step, new Date());
	},
	quote: function (symbol, by) {
		this.prices[symbol] += by;
		for (var i = 0, c; c = application.clients[i]; i++) {
			if (indexOf(c.watches, symbol) < 0) continue;
			// One object for each call: onResult has to know whose answer it is.
			var answer = { client: c, symbol: symbol };
			answer.onResult = function (ok) { heard++; this.client.last = this.symbol + (ok ? "" : "?"); };
			answer.onStatus = function (info) { lost++; this.client.why = info.code; };
			c.call("quote", answer, symbol, this.prices[symbol]);
		}
	}
};

// ECMAScript 3 arrays had none.
function indexOf(list, what) {
	var i = list.length;
	while (i-- && list[i] != what);
	return i;
}

Client.prototype.watch = function () {
	for (var i = 0; i < arguments.length; i++) this.watches.push(arguments[i]);
	return this.watches;
};

Client.prototype.report = function () {
	return { heard: heard, lost: lost, last: this.last, why: this.why, people: application.clients.length };
};
