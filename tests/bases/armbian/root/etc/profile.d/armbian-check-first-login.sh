# Stand-in for Armbian's first-login wizard: a terminal gets questions while the marker exists.
if [ "$(id -u)" = 0 ] && [ -f /root/.not_logged_in_yet ] && [ -t 0 ]; then
    echo "Armbian first login: create root password:"
fi
